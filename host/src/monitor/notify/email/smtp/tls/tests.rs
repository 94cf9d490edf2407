use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};

use super::*;

const HOST: &str = "mail.lco.cl";

/// As `openssl req -x509` makes it: an authority, and its own server.
fn made(common_name: &str, names: &[&str]) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

fn signed_by_itself(params: &CertificateParams) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().clone()
}

fn verdict(
    named: &CertificateDer<'static>,
    shown: &CertificateDer<'static>,
    host: &str,
) -> Result<(), rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(vec![named.clone()], &provider).unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    verifier
        .verify_server_cert(shown, &[], &name, &[], UnixTime::now())
        .map(|_| ())
}

#[test]
fn m2_the_very_certificate_that_is_named_is_trusted() {
    for (common_name, names, host) in [
        ("anything", &[HOST, "127.0.0.1"][..], HOST),
        ("anything", &[HOST, "127.0.0.1"], "127.0.0.1"),
        (HOST, &[], HOST),
        ("MAIL.lco.cl", &[], HOST),
    ] {
        let certificate = signed_by_itself(&made(common_name, names));
        assert_eq!(
            verdict(&certificate, &certificate, host),
            Ok(()),
            "{common_name} {names:?}"
        );
    }
    let mut no_authority = made(HOST, &[HOST]);
    no_authority.is_ca = IsCa::ExplicitNoCa;
    let certificate = signed_by_itself(&no_authority);
    assert_eq!(verdict(&certificate, &certificate, HOST), Ok(()));
}

#[test]
fn x1_a_certificate_that_is_named_is_trusted_for_its_server_alone() {
    for (common_name, names) in [
        ("other.lco.cl", &[][..]),
        (HOST, &["other.lco.cl"]),
        ("cl", &[]),
    ] {
        let certificate = signed_by_itself(&made(common_name, names));
        let verdict = verdict(&certificate, &certificate, HOST).unwrap_err();
        assert!(
            matches!(verdict, rustls::Error::InvalidCertificate(_)),
            "{verdict:?}"
        );
    }
    let ip = signed_by_itself(&made("10.0.0.1", &["10.0.0.2"]));
    assert!(verdict(&ip, &ip, "10.0.0.1").is_err());
}

#[test]
fn x1_a_certificate_that_looks_like_the_named_one_is_not_trusted() {
    let (named, other) = (
        signed_by_itself(&made(HOST, &[HOST])),
        signed_by_itself(&made(HOST, &[HOST])),
    );
    assert!(verdict(&named, &other, HOST).is_err());
}

#[test]
fn x1_a_named_certificate_is_trusted_in_its_time_alone() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(UnixTime::now().as_secs());
    let day = Duration::from_secs(86400);
    let mut expired = made(HOST, &[HOST]);
    expired.not_before = (now - 3 * day).into();
    expired.not_after = (now - day).into();
    let mut early = made(HOST, &[HOST]);
    early.not_before = (now + day).into();
    early.not_after = (now + 3 * day).into();
    for (params, error) in [
        (expired, CertificateError::Expired),
        (early, CertificateError::NotValidYet),
    ] {
        let certificate = signed_by_itself(&params);
        let verdict = verdict(&certificate, &certificate, HOST);
        assert_eq!(verdict, Err(rustls::Error::InvalidCertificate(error)));
    }
}

#[test]
fn m2_what_a_named_authority_has_signed_is_trusted() {
    let key = KeyPair::generate().unwrap();
    let authority = CertifiedIssuer::self_signed(made("an authority", &[]), key).unwrap();
    let server = KeyPair::generate().unwrap();
    let params = CertificateParams::new([HOST.to_owned()]).unwrap();
    let certificate = params.signed_by(&server, &authority).unwrap();
    assert_eq!(verdict(authority.der(), certificate.der(), HOST), Ok(()));
    assert!(verdict(authority.der(), certificate.der(), "other.lco.cl").is_err());
}
