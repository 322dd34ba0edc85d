//! Envelopes: a payload with signatures over it and its type
//! (DSSE 1.0, <https://github.com/secure-systems-lab/dsse>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::key::{PrivateKey, PublicKey};

/// A signed payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// base64.
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    /// base64.
    sig: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
}

impl Envelope {
    /// Signs a payload of this media type.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn sign(payload: &[u8], payload_type: &str, key: &PrivateKey) -> Result<Self, Error> {
        let signature = key.sign(&signed(payload, payload_type))?;
        Ok(Self {
            payload: STANDARD.encode(payload),
            payload_type: payload_type.to_owned(),
            signatures: vec![Signature {
                sig: STANDARD.encode(signature),
                keyid: None,
            }],
        })
    }

    /// The payload, whoever signed it.
    ///
    /// # Errors
    /// It is not base64, or of another type.
    pub fn payload(&self, payload_type: &str) -> Result<Vec<u8>, Error> {
        if self.payload_type != payload_type {
            return Err(bad(format!("its payload is `{}`", self.payload_type)));
        }
        STANDARD
            .decode(&self.payload)
            .map_err(|problem| bad(problem.to_string()))
    }

    /// Checks that one of the signatures is of this key.
    ///
    /// # Errors
    /// None is, or the envelope cannot be read.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Error> {
        let payload = self.payload(&self.payload_type)?;
        let signed = signed(&payload, &self.payload_type);
        let decoded = self
            .signatures
            .iter()
            .filter_map(|one| STANDARD.decode(&one.sig).ok());
        let mut checked = decoded.map(|signature| key.verify(&signed, &signature));
        match checked.any(|result| result.is_ok()) {
            true => Ok(()),
            false => Err(Error::BadSignature),
        }
    }
}

/// The bytes that are signed: PAE of the specification's protocol, so that a payload of one type
/// is never taken for one of another.
fn signed(payload: &[u8], payload_type: &str) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

fn bad(problem: String) -> Error {
    Error::BadDocument {
        what: "a signed envelope",
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn ok_pre_authentication_encoding() {
        assert_eq!(
            signed(b"hello world", "http://example.com/HelloWorld"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
