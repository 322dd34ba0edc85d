//! Keys of ECDSA over P-256 with SHA-256, as files: PKCS#8 (RFC 5958) and SubjectPublicKeyInfo
//! (RFC 5480), both in PEM (RFC 7468).

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use factory_model::lock::Sha256;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use crate::error::Error;

/// What stands before the point in the DER of a public key of P-256: the lengths, `ecPublicKey`
/// and `prime256v1`.
const BEFORE_POINT: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// A point that is not compressed: 4, and two numbers of 32 bytes.
const POINT_BYTES: usize = 65;

/// Signs.
pub struct PrivateKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

/// Checks signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    der: Vec<u8>,
}

impl PrivateKey {
    /// Reads the text of a PEM file; `path` is for messages.
    ///
    /// # Errors
    /// It holds no key of P-256 as `openssl genpkey` writes it.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, Error> {
        let bad = |problem: &str| Error::BadKey {
            path: path.to_owned(),
            wanted: "private key",
            problem: problem.to_owned(),
        };
        if text
            .windows(b"ENCRYPTED".len())
            .any(|part| part == b"ENCRYPTED")
        {
            return Err(bad("it is encrypted, and nobody is asked for a password"));
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(text).map_err(|problem| match problem {
            pem::Error::NoItemsFound => bad("there is no `BEGIN PRIVATE KEY` in it"),
            _ => bad("it is no PEM file"),
        })?;
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            der.secret_pkcs8_der(),
            &random,
        )
        .map_err(|_| bad("it is not of ECDSA over P-256"))?;
        Ok(Self { pair, random })
    }

    /// Its other half.
    pub fn public(&self) -> PublicKey {
        let mut der = BEFORE_POINT.to_vec();
        der.extend_from_slice(self.pair.public_key().as_ref());
        PublicKey { der }
    }

    /// Signs bytes (ASN.1 DER). Two signatures of the same bytes differ.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self
            .pair
            .sign(&self.random, bytes)
            .map_err(|_| Error::NoRandom)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// A key never shows in a message.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PrivateKey({})", self.public().hint())
    }
}

impl PublicKey {
    /// Reads the text of a PEM file; `path` is for messages.
    ///
    /// # Errors
    /// It holds no public key of P-256.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, Error> {
        let bad = |problem: &str| Error::BadKey {
            path: path.to_owned(),
            wanted: "public key",
            problem: problem.to_owned(),
        };
        let der =
            SubjectPublicKeyInfoDer::from_pem_slice(text).map_err(|problem| match problem {
                pem::Error::NoItemsFound => bad("there is no `BEGIN PUBLIC KEY` in it"),
                _ => bad("it is no PEM file"),
            })?;
        let der = der.as_ref();
        if der.len() != BEFORE_POINT.len() + POINT_BYTES || !der.starts_with(&BEFORE_POINT) {
            return Err(bad("it is not of ECDSA over P-256"));
        }
        Ok(Self { der: der.to_vec() })
    }

    /// What bundles name the key by: base64 of the SHA-256 of its DER, as cosign does.
    pub fn hint(&self) -> String {
        STANDARD.encode(Sha256::of(&self.der).as_bytes())
    }

    /// Checks a signature (ASN.1 DER) of bytes.
    ///
    /// # Errors
    /// It is not of this key, or of other bytes.
    pub(crate) fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<(), Error> {
        let point = self.der.get(BEFORE_POINT.len()..).unwrap_or_default();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(bytes, signature)
            .map_err(|_| Error::BadSignature)
    }
}
