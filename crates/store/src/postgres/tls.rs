//! TLS to a server: how much of it is checked follows from the address.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::dsn::Dsn;
use crate::error::OpenError;

/// Why a server is not talked to.
pub(super) enum Distrust {
    /// It does not show that it is the one it should be.
    Certificate(String),
    NoTls,
}

/// What makes connections to the server of an address.
pub(super) fn connector(dsn: &Dsn) -> Result<MakeRustlsConnect, OpenError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::BadCertificates {
            path: dsn.root_certificates.clone().unwrap_or_default(),
            reason: error.to_string(),
        })?;
    let config = match dsn.config.get_ssl_mode() {
        SslMode::Require => builder.with_root_certificates(roots(dsn.root_certificates.as_deref())?),
        _ => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unchecked(provider))),
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

/// The system's, and those of a file.
fn roots(file: Option<&Path>) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    // A system may have none, or some that cannot be read: then fewer servers are trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(file) = file else { return Ok(roots) };
    let bad = |reason: String| OpenError::BadCertificates {
        path: file.to_owned(),
        reason,
    };
    let mut found = 0;
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))? {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
        found += 1;
    }
    if found == 0 {
        return Err(bad("it has no certificate".to_owned()));
    }
    Ok(roots)
}

/// What of a failed connection is about trust.
pub(super) fn distrust(error: &tokio_postgres::Error) -> Option<Distrust> {
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        // An input/output error shows what it carries, not as its source.
        let carried = deeper
            .downcast_ref::<std::io::Error>()
            .and_then(|error| error.get_ref());
        let said = deeper
            .downcast_ref::<Error>()
            .or_else(|| carried.and_then(|carried| carried.downcast_ref()));
        if let Some(Error::InvalidCertificate(why)) = said {
            return Some(Distrust::Certificate(said_shortly(why)));
        }
        // Said by the client's library, which has no type for it.
        if deeper.to_string() == "server does not support TLS" {
            return Some(Distrust::NoTls);
        }
        cause = deeper.source();
    }
    None
}

fn said_shortly(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "nobody who is trusted has issued its certificate".to_owned(),
        why => why.to_string(),
    }
}

/// Encrypts, and asks nobody who is at the other end: against those who listen, not against those who step in between.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
