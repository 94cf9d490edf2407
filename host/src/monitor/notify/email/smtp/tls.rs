//! Which certificates of a mail server are trusted.
//!
//! Those that an authority of the system, or of `SSL_CERT_FILE`, has signed; and the very
//! certificates that are named there, which is what people make with `openssl req -x509`: they call
//! themselves authorities (CA:TRUE), which webpki takes from no server, and may hold the server's
//! name only as the common name. Python's ssl takes both.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName};

use crate::monitor::notify::TlsError;

/// Reads the certificates that are trusted.
pub(super) fn connector() -> Result<TlsConnector, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    trusting(found.certs).map_err(|error| match error {
        TlsError::Authorities { cause, .. } => TlsError::Authorities {
            cause,
            first: found.errors.into_iter().next(),
        },
        error @ (TlsError::ServerName { .. } | TlsError::Protocol(_) | TlsError::HttpClient(_)) => {
            error
        }
    })
}

fn trusting(named: Vec<CertificateDer<'static>>) -> Result<TlsConnector, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(named, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[derive(Debug)]
struct Verifier {
    authorities: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(
        named: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(named.iter().cloned());
        let authorities =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|cause| TlsError::Authorities { cause, first: None })?;
        Ok(Self { authorities, named })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let signed = self.authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match signed {
            Err(_) if self.named.contains(end_entity) => named(end_entity, server_name, now),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// The very certificate that is named as trusted: what is left to look at is when and for whom it
/// is valid.
fn named(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, rustls::Error> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs())
        .ok()
        .and_then(|seconds| ASN1Time::from_timestamp(seconds).ok())
        .ok_or(CertificateError::BadEncoding)?;
    if parsed.validity().not_before > now {
        return Err(CertificateError::NotValidYet.into());
    }
    if parsed.validity().not_after < now {
        return Err(CertificateError::Expired.into());
    }
    let names = parsed
        .subject_alternative_name()
        .map_err(|_| CertificateError::BadEncoding)?;
    let holds_names = names.is_some_and(|names| {
        let mut names = names.value.general_names.iter();
        names.any(|name| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_)))
    });
    if holds_names {
        let certificate = ParsedCertificate::try_from(certificate)?;
        rustls::client::verify_server_name(&certificate, server_name)?;
        return Ok(ServerCertVerified::assertion());
    }
    let server_name = server_name.to_str();
    let mut common_names = parsed.subject().iter_common_name();
    if common_names.any(|name| {
        name.as_str()
            .is_ok_and(|name| name.eq_ignore_ascii_case(&server_name))
    }) {
        return Ok(ServerCertVerified::assertion());
    }
    Err(CertificateError::NotValidForName.into())
}

#[cfg(test)]
mod tests;
