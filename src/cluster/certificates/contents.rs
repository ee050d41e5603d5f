//! What the Secret of certificates holds.
//!
//! ```text
//! ca.crt     CAs for caBundles, PEM, the newest first
//! ca.key     the key of the newest
//! tls.crt    the leaf that is served
//! tls.key    its key
//! published  since when the newest CA is in every caBundle, RFC 3339
//! ```

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::ByteString;
use k8s_openapi::jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::OffsetDateTime;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Facts, Lifetimes, Validity};
use crate::certs::{self, Ca, Pair};

/// What is wrong with the contents of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {problem}")]
pub struct Damage {
    key: &'static str,
    problem: &'static str,
}

const fn damage(key: &'static str, problem: &'static str) -> Damage {
    Damage { key, problem }
}

/// The contents of the Secret, read and found whole.
#[derive(Clone)]
pub struct Contents {
    /// Certificates of CAs, PEM, the newest first.
    cas: Vec<String>,
    ca_key: String,
    /// What is served.
    pub leaf: Pair,
    published: Option<i64>,
}

/// Keys never appear in a message.
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("cas", &self.cas.len())
            .field("published", &self.published)
            .finish_non_exhaustive()
    }
}

impl Contents {
    /// Reads the data of a Secret.
    ///
    /// # Errors
    ///
    /// Which entry is missing or broken.
    pub fn parse(data: &BTreeMap<String, ByteString>) -> Result<Contents, Damage> {
        let text = |key: &'static str| {
            let bytes = data.get(key).ok_or(damage(key, "is missing"))?;
            let text = std::str::from_utf8(&bytes.0);
            text.map(ToOwned::to_owned)
                .map_err(|_| damage(key, "is no text"))
        };
        let contents = Contents {
            cas: split(&text("ca.crt")?).ok_or(damage("ca.crt", "holds no certificate"))?,
            ca_key: text("ca.key")?,
            leaf: Pair {
                certificate: text("tls.crt")?,
                key: text("tls.key")?,
            },
            published: match data.contains_key("published") {
                true => Some(moment(&text("published")?)?),
                false => None,
            },
        };
        // Whatever else could be wrong with it shows here.
        contents.facts(&[])?;
        contents.check_keys()?;
        Ok(contents)
    }

    /// The data of the Secret.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        let published = self
            .published
            .and_then(|at| Timestamp::from_second(at).ok())
            .map(|at| ("published", at.to_string()));
        let entries = [
            ("ca.crt", self.bundle()),
            ("ca.key", self.ca_key.clone()),
            ("tls.crt", self.leaf.certificate.clone()),
            ("tls.key", self.leaf.key.clone()),
        ];
        let entries = entries.into_iter().chain(published);
        entries
            .map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes())))
            .collect()
    }

    /// The CAs for caBundles, PEM.
    pub fn bundle(&self) -> String {
        self.cas.concat()
    }

    /// What `next` needs to know, for a leaf that is to be for `names`.
    ///
    /// # Errors
    ///
    /// A certificate that cannot be read.
    pub fn facts(&self, names: &[String]) -> Result<Facts, Damage> {
        let cas: Vec<Certificate> = self
            .cas
            .iter()
            .map(|pem| Certificate::read(pem).ok_or(damage("ca.crt", "is broken")))
            .collect::<Result<_, _>>()?;
        let leaf = Certificate::read(&self.leaf.certificate);
        let leaf = leaf.ok_or(damage("tls.crt", "holds no certificate, or a broken one"))?;
        let newest = cas
            .first()
            .ok_or(damage("ca.crt", "holds no certificate"))?;
        Ok(Facts {
            of_newest: leaf.issuer_key.is_some() && leaf.issuer_key == newest.own_key,
            names_fit: names.iter().all(|name| leaf.names.contains(name)),
            cas: cas.iter().map(|ca| ca.validity).collect(),
            leaf: leaf.validity,
            published: self.published,
        })
    }

    fn check_keys(&self) -> Result<(), Damage> {
        let newest = self.cas.first().map_or("", String::as_str);
        let pairs = [
            ("ca.key", newest, &self.ca_key),
            ("tls.key", &self.leaf.certificate, &self.leaf.key),
        ];
        for (name, certificate, key) in pairs {
            let key = certs::public_key(key);
            let key = key.map_err(|_| damage(name, "holds no private key"))?;
            let certificate = Certificate::read(certificate);
            if certificate.is_none_or(|certificate| certificate.public_key != key) {
                return Err(damage(name, "does not belong to its certificate"));
            }
        }
        Ok(())
    }

    /// The CA that signs.
    fn ca(&self) -> Result<Ca, certs::Error> {
        let certificate = self.cas.first().cloned().unwrap_or_default();
        let name = Certificate::read(&certificate).map(|newest| newest.name);
        let pair = Pair {
            certificate,
            key: self.ca_key.clone(),
        };
        Ca::kept(&name.unwrap_or_default(), pair)
    }

    /// A CA and a leaf, with nothing before them.
    ///
    /// # Errors
    ///
    /// A name that no certificate can hold.
    pub fn begin(names: &[String], now: i64, lives: &Lifetimes) -> Result<Contents, certs::Error> {
        let ca = new_ca(now, lives)?;
        Ok(Contents {
            leaf: certs::leaf(names, moment_of(now), life(lives.leaf), &ca)?,
            cas: vec![ca.pair.certificate],
            ca_key: ca.pair.key,
            published: None,
        })
    }

    /// With a new CA before those that are there; the leaf stays.
    ///
    /// # Errors
    ///
    /// What the cryptography library refuses.
    pub fn with_new_ca(&self, now: i64, lives: &Lifetimes) -> Result<Contents, certs::Error> {
        let ca = new_ca(now, lives)?;
        Ok(Contents {
            cas: [vec![ca.pair.certificate], self.cas.clone()].concat(),
            ca_key: ca.pair.key,
            leaf: self.leaf.clone(),
            published: None,
        })
    }

    /// With a new leaf of the newest CA.
    ///
    /// # Errors
    ///
    /// A name that no certificate can hold; a CA that cannot be read, though
    /// [`Contents::parse`] could.
    pub fn with_new_leaf(
        &self,
        names: &[String],
        now: i64,
        lives: &Lifetimes,
    ) -> Result<Contents, certs::Error> {
        let leaf = certs::leaf(names, moment_of(now), life(lives.leaf), &self.ca()?)?;
        Ok(Contents {
            leaf,
            ..self.clone()
        })
    }

    /// Published since `now`.
    #[must_use]
    pub fn published_at(&self, now: i64) -> Contents {
        Contents {
            published: Some(now),
            ..self.clone()
        }
    }

    /// Without CAs that have expired.
    #[must_use]
    pub fn without_expired(&self, now: i64) -> Contents {
        let lives = |pem: &&String| {
            let read = Certificate::read(pem);
            read.is_none_or(|certificate| certificate.validity.to > now)
        };
        Contents {
            cas: self.cas.iter().filter(lives).cloned().collect(),
            ..self.clone()
        }
    }
}

fn new_ca(now: i64, lives: &Lifetimes) -> Result<Ca, certs::Error> {
    // Two CAs must not have one name: clients choose by it.
    let made = Timestamp::from_second(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let name = format!("portcullis CA of {made}");
    certs::ca(&name, moment_of(now), life(lives.ca))
}

fn moment_of(now: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn life(life: std::time::Duration) -> time::Duration {
    time::Duration::try_from(life).unwrap_or(time::Duration::MAX)
}

fn moment(text: &str) -> Result<i64, Damage> {
    let moment = text.trim().parse::<Timestamp>();
    let moment = moment.map_err(|_| damage("published", "is no time, as 2026-01-31T12:00:00Z"))?;
    Ok(moment.as_second())
}

/// PEM certificates, one by one; None if there is none.
fn split(pem: &str) -> Option<Vec<String>> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks: Vec<String> = pem
        .split_inclusive(END)
        .filter(|block| block.ends_with(END))
        .map(|block| format!("{}\n", block.trim()))
        .collect();
    (!blocks.is_empty()).then_some(blocks)
}

/// What we want to know of a certificate.
struct Certificate {
    name: String,
    validity: Validity,
    public_key: Vec<u8>,
    own_key: Option<Vec<u8>>,
    issuer_key: Option<Vec<u8>>,
    names: Vec<String>,
}

impl Certificate {
    fn read(pem: &str) -> Option<Certificate> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        let mut certificate = Certificate {
            name: common_name(&parsed)?,
            validity: Validity {
                from: parsed.validity().not_before.timestamp(),
                to: parsed.validity().not_after.timestamp(),
            },
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
            own_key: None,
            issuer_key: None,
            names: vec![],
        };
        for extension in parsed.extensions() {
            certificate.take(extension.parsed_extension());
        }
        Some(certificate)
    }

    fn take(&mut self, extension: &ParsedExtension<'_>) {
        match extension {
            ParsedExtension::SubjectKeyIdentifier(id) => self.own_key = Some(id.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                self.issuer_key = id.key_identifier.as_ref().map(|id| id.0.to_vec());
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                let dns = names.general_names.iter().filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some((*name).to_owned()),
                    _ => None,
                });
                self.names = dns.collect();
            }
            _ => {}
        }
    }
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    names.next()?.as_str().ok().map(ToOwned::to_owned)
}

/// A short digest by which bundles are told apart in logs.
pub fn fingerprint(pem: &str) -> String {
    let digest = digest(&SHA256, pem.as_bytes());
    digest.as_ref()[..8]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
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
}
