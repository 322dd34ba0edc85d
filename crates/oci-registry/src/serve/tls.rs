//! TLS for `serve`: a certificate chain and its key.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::Error;
use factory_base::error::Explain as _;

/// What a server needs for TLS.
#[derive(Debug, Clone)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Reads a certificate chain, the server's own first, and its private key: PEM files.
    ///
    /// # Errors
    /// A file cannot be read, or the two do not belong together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self> {
        let bad = |path: &Path, problem: String| {
            let path = path.to_owned();
            anyhow::Error::from(Error::BadCertificate { path, problem }.failure())
        };
        let text = fs_err::read(certificate)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|source| bad(certificate, source.to_string()))?;
        if chain.is_empty() {
            return Err(bad(certificate, "no certificate is in it".to_owned()));
        }
        let text = fs_err::read(key)?;
        let private = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|source| bad(key, format!("no private key: {source}")))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|source| bad(certificate, source.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|source| bad(key, format!("not the key of the certificate: {source}")))?;
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}
