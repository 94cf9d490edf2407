//! When certificates expire.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// When the first certificate of what a server has shown expires.
pub(crate) fn first(chain: Option<&[CertificateDer<'_>]>) -> Option<Timestamp> {
    let ends = chain?.iter().filter_map(|certificate| {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    });
    ends.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_chain_counts_and_bytes_that_are_none_do_not() {
        let certificate = |year: i32| {
            let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 5, 6);
            let key = rcgen::KeyPair::generate().unwrap();
            params.self_signed(&key).unwrap().der().clone()
        };
        let nonsense = CertificateDer::from(vec![1, 2, 3]);
        let chain = [certificate(2040), nonsense, certificate(2031)];
        let expected: Timestamp = "2031-05-06T00:00:00Z".parse().unwrap();
        assert_eq!(first(Some(&chain)), Some(expected));
        assert_eq!(first(Some(&[])), None);
        assert_eq!(first(None), None);
    }
}
