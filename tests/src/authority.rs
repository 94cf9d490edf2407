//! A certificate authority that only the test trusts.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use uuid::Uuid;

use crate::scratch::Scratch;

/// An authority, and the certificate of one server. The files are gone when this is dropped.
#[derive(Debug)]
pub struct Authority {
    /// The authority's own certificate, PEM: for `SSL_CERT_FILE`.
    pub root: PathBuf,
    /// The server's certificate, PEM.
    pub certificate: PathBuf,
    /// The server's key, PEM.
    pub key: PathBuf,
    _folder: Scratch,
}

impl Authority {
    /// A new one, with a server at `localhost`.
    pub fn new() -> Self {
        Self::of("localhost")
    }

    /// A new one, with a server of that name. No two are called alike, lest a client takes one for
    /// the other, forged.
    pub fn of(server_name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, format!("tests {}", Uuid::new_v4()));
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let server = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new([server_name.to_owned()])
            .and_then(|params| params.signed_by(&server, &authority))
            .expect("a certificate");
        let folder = Scratch::new();
        Self {
            root: folder.write("root.pem", &authority.pem()),
            certificate: folder.write("server.pem", &certificate.pem()),
            key: folder.write("server.key", &server.serialize_pem()),
            _folder: folder,
        }
    }

    /// A server that is its own authority, as `openssl req -x509` makes it: its name stands only as
    /// the common name.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn of_itself(server_name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, server_name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        let folder = Scratch::new();
        Self {
            root: folder.write("root.pem", &certificate),
            certificate: folder.write("server.pem", &certificate),
            key: folder.write("server.key", &key.serialize_pem()),
            _folder: folder,
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
