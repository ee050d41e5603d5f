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

use k8s_openapi::ByteString;
use k8s_openapi::jiff::Timestamp;
use time::OffsetDateTime;

use super::x509::{Certificate, split};
use super::{Facts, Lifetimes};
use crate::certs::{self, Ca, Pair};

/// The entries that are ours.
const ENTRIES: [&str; 5] = ["ca.crt", "ca.key", "tls.crt", "tls.key", "published"];

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

    /// The data of the Secret in the place of what was there. Entries that are
    /// not known are a later version's, and stay.
    pub fn data_over(&self, before: BTreeMap<String, ByteString>) -> BTreeMap<String, ByteString> {
        let others = before
            .into_iter()
            .filter(|(key, _)| !ENTRIES.contains(&&**key));
        others.chain(self.data()).collect()
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

    /// Whether callers who trust the CAs of `bundle`, PEM, trust the leaf: of
    /// the newest CA, or else of one of the earlier ones.
    pub fn is_known_by(&self, bundle: &str) -> bool {
        let known = split(bundle).unwrap_or_default();
        let is_known = |ca: &String| known.contains(ca);
        match (self.facts(&[]), self.cas.split_first()) {
            (Ok(facts), Some((newest, earlier))) => match facts.of_newest {
                true => is_known(newest),
                false => earlier.iter().any(is_known),
            },
            _ => false,
        }
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

#[cfg(test)]
mod tests;
