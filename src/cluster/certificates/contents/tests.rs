use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::*;
use crate::cluster::certificates::{Action, next};
use crate::server::tls;

const NOW: i64 = 1_800_000_000;

fn names() -> Vec<String> {
    vec!["portcullis.here.svc".to_owned()]
}

fn begun() -> Contents {
    Contents::begin(&names(), NOW, &Lifetimes::default()).expect("made")
}

#[test]
fn what_is_written_is_read_back_and_goes_through_a_rotation() {
    let lives = Lifetimes::default();
    let reread = |contents: &Contents| Contents::parse(&contents.data()).expect("whole");
    let first = reread(&begun());
    let facts = first.facts(&names()).expect("facts");
    assert!(facts.of_newest && facts.names_fit && facts.published.is_none());
    assert_eq!(next(NOW, Some(&facts), &lives), Action::Publish);
    let later = NOW + 244 * 86_400;
    let second = reread(
        &first
            .published_at(NOW)
            .with_new_ca(later, &lives)
            .expect("a CA"),
    );
    let facts = second.facts(&names()).expect("facts");
    assert!(!facts.of_newest && facts.cas.len() == 2 && facts.published.is_none());
    assert!(second.bundle().ends_with(&first.bundle()));
    let third = second
        .published_at(later)
        .with_new_leaf(&names(), later, &lives);
    let third = reread(&third.expect("a leaf"));
    let facts = third.facts(&names()).expect("facts");
    assert!(facts.of_newest && facts.published == Some(later));
    let dropped = reread(&third.without_expired(NOW + 366 * 86_400));
    assert!(second.bundle().starts_with(&dropped.bundle()));
    assert_ne!(dropped.bundle(), second.bundle());
}

#[test]
fn a_leaf_of_a_kept_ca_can_be_checked_with_its_bundle() {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let lives = Lifetimes::default();
    let made = Contents::begin(&names(), now, &lives).expect("made");
    let kept = Contents::parse(&made.data()).expect("whole");
    let renewed = kept.with_new_leaf(&names(), now, &lives).expect("a leaf");
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(renewed.bundle().as_bytes()).expect("a CA");
    roots.add(ca).expect("a root");
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
            .build()
            .expect("a verifier");
    let leaf = CertificateDer::from_pem_slice(renewed.leaf.certificate.as_bytes());
    let leaf = leaf.expect("a leaf");
    let check = |name: &str| {
        use rustls::client::danger::ServerCertVerifier;
        let name = rustls_pki_types::ServerName::try_from(name.to_owned()).expect("a name");
        let at = rustls_pki_types::UnixTime::now();
        verifier
            .verify_server_cert(&leaf, &[], &name, &[], at)
            .is_ok()
    };
    assert!(check("portcullis.here.svc"));
    assert!(!check("portcullis.there.svc"));
    let served = tls::Certificate::awaited("Secret");
    let pair = &renewed.leaf;
    let given = served.replace(pair.certificate.clone().into(), pair.key.clone().into());
    assert!(given.expect("served"));
}

#[test]
fn damage_is_named_and_keys_are_not_shown() {
    let whole = begun();
    let other = begun();
    let with = |key: &str, value: Option<&str>| {
        let mut data = whole.data();
        match value {
            Some(value) => data.insert(key.to_owned(), ByteString(value.into())),
            None => data.remove(key),
        };
        Contents::parse(&data).expect_err(key).to_string()
    };
    assert_eq!(with("ca.key", None), "`ca.key` is missing");
    assert_eq!(
        with("tls.crt", Some("x")),
        "`tls.crt` holds no certificate, or a broken one"
    );
    assert_eq!(with("ca.crt", Some("x")), "`ca.crt` holds no certificate");
    assert_eq!(with("ca.key", Some("x")), "`ca.key` holds no private key");
    let mixed = with("ca.key", Some(&other.ca_key));
    assert_eq!(mixed, "`ca.key` does not belong to its certificate");
    let mixed = with("tls.key", Some(&other.ca_key));
    assert_eq!(mixed, "`tls.key` does not belong to its certificate");
    assert!(with("published", Some("soon")).starts_with("`published` is no time"));
    let shown = format!("{whole:?}");
    assert!(
        !shown.contains("PRIVATE") && !shown.contains("BEGIN"),
        "{shown}"
    );
}

#[test]
fn a_leaf_for_other_names_does_not_fit() {
    let facts = begun().facts(&["portcullis.there.svc".to_owned()]);
    assert!(!facts.expect("facts").names_fit);
}
