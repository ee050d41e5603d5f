//! CAs and server certificates: for development and tests as files, and for
//! `cluster::certificates`.
//!
//! Makes and writes; what is served is `server::tls`'s affair. Keys are
//! readable by their owner alone from the moment they exist.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};

/// What a development server is called: by tests on loopback, and by the API
/// server through the Service of the default installation.
pub const DEFAULT_NAMES: [&str; 4] = ["localhost", "127.0.0.1", "::1", "portcullis.portcullis.svc"];

/// The CA lives ten years, a leaf one (reliability.md, section 1).
const CA_DAYS: i64 = 3650;
const LEAF_DAYS: i64 = 365;
/// Clocks differ: certificates are valid from a little before now.
const BACKDATE_MINUTES: i64 = 5;

/// Why no certificates were made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that no certificate can hold.
    #[error("`{0}` is no DNS name and no IP address: write `webhook.example.org` or `10.0.0.1`")]
    Name(String),
    /// A file that is in the way.
    #[error("{} is there already: give another folder, or --force to replace it", .0.display())]
    Exists(PathBuf),
    /// A file that cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The cryptography library refused.
    #[error("the certificate cannot be made")]
    Make(#[from] rcgen::Error),
}

/// Certificates and keys, PEM.
#[derive(Clone)]
pub struct Pair {
    /// The certificate; of a leaf, the chain without the CA.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// A CA and a server certificate of it.
#[derive(Clone)]
pub struct Certificates {
    /// The CA: its certificate is the `caBundle` of a registration.
    pub ca: Pair,
    /// The server's.
    pub server: Pair,
}

/// Makes a CA and a server certificate for `names`, valid from `now` on.
///
/// # Errors
///
/// A name that no certificate can hold.
pub fn make(names: &[String], now: OffsetDateTime) -> Result<Certificates, Error> {
    let ca = ca("portcullis development CA", now, Duration::days(CA_DAYS))?;
    let server = leaf(names, now, Duration::days(LEAF_DAYS), &ca)?;
    Ok(Certificates {
        ca: ca.pair,
        server,
    })
}

/// A CA that can sign leaves.
pub struct Ca {
    /// Its certificate and key.
    pub pair: Pair,
    name: String,
    key: KeyPair,
}

impl Ca {
    /// The CA of an earlier [`ca`], as it was kept; `name` is its common name.
    ///
    /// # Errors
    ///
    /// A key that cannot be read.
    pub fn kept(name: &str, pair: Pair) -> Result<Ca, Error> {
        let key = KeyPair::from_pem(&pair.key)?;
        let name = name.to_owned();
        Ok(Ca { pair, name, key })
    }
}

/// The public half of a private key, PEM, as certificates hold it.
///
/// # Errors
///
/// A key that cannot be read.
pub fn public_key(pem: &str) -> Result<Vec<u8>, Error> {
    Ok(KeyPair::from_pem(pem)?.public_key_raw().to_vec())
}

/// Makes a CA of this common name, valid from `now` on for `life`.
///
/// # Errors
///
/// What the cryptography library refuses.
pub fn ca(name: &str, now: OffsetDateTime, life: Duration) -> Result<Ca, Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = ca_parameters(name);
    valid(&mut parameters, now, life);
    let pair = Pair {
        certificate: parameters.self_signed(&key)?.pem(),
        key: key.serialize_pem(),
    };
    let name = name.to_owned();
    Ok(Ca { pair, name, key })
}

fn ca_parameters(name: &str) -> CertificateParams {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, name);
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca
}

/// Makes a server certificate for `names` that `ca` signs, valid from `now` on
/// for `life`.
///
/// # Errors
///
/// A name that no certificate can hold.
pub fn leaf(names: &[String], now: OffsetDateTime, life: Duration, ca: &Ca) -> Result<Pair, Error> {
    if let Some(bad) = names.iter().find(|name| !is_name(name)) {
        return Err(Error::Name(bad.clone()));
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut leaf = CertificateParams::new(names.to_vec())?;
    leaf.distinguished_name
        .push(DnType::CommonName, "portcullis");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    leaf.use_authority_key_identifier_extension = true;
    valid(&mut leaf, now, life);
    let issuer = Issuer::new(ca_parameters(&ca.name), &ca.key);
    let certificate = leaf.signed_by(&key, &issuer)?.pem();
    Ok(Pair {
        certificate,
        key: key.serialize_pem(),
    })
}

fn valid(parameters: &mut CertificateParams, now: OffsetDateTime, life: Duration) {
    parameters.not_before = now - Duration::minutes(BACKDATE_MINUTES);
    parameters.not_after = now + life;
}

/// Whether a certificate can be for it: a DNS name or an IP address.
pub(crate) fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let host = name.strip_prefix("*.").unwrap_or(name);
    name.parse::<IpAddr>().is_ok() || (host.len() <= 253 && host.split('.').all(is_label))
}

/// Writes `ca.crt`, `ca.key`, `tls.crt` and `tls.key` into `folder`, which is
/// made if it is not there.
///
/// # Errors
///
/// A file that is there already, unless `force`; whatever the disk says.
pub fn write(folder: &Path, certificates: &Certificates, force: bool) -> Result<(), Error> {
    let (ca, server) = (&certificates.ca, &certificates.server);
    let files = [
        ("ca.crt", &ca.certificate, 0o644),
        ("ca.key", &ca.key, 0o600),
        ("tls.crt", &server.certificate, 0o644),
        ("tls.key", &server.key, 0o600),
    ];
    let taken = files
        .iter()
        .map(|(name, ..)| folder.join(name))
        .find(|path| path.exists());
    if let (Some(path), false) = (taken, force) {
        return Err(Error::Exists(path));
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Write { path, source }
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed(folder))?;
    for (name, text, mode) in files {
        let path = folder.join(name);
        replace(&path, text, mode).map_err(failed(&path))?;
    }
    Ok(())
}

/// Writes beside the file and renames, so that a reader sees the old or the
/// new one, whole.
fn replace(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    match written.and_then(|()| std::fs::rename(&beside, path)) {
        Ok(()) => Ok(()),
        Err(error) => {
            let _ = std::fs::remove_file(&beside);
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn names_are_checked_before_anything_is_made() {
        for good in ["localhost", "10.0.0.1", "::1", "a.b.svc", "*.example.org"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "-a", "a..b", "https://a", "a_b"] {
            let made = make(&[bad.to_owned()], OffsetDateTime::UNIX_EPOCH);
            assert!(matches!(made, Err(Error::Name(_))), "{bad}");
        }
    }

    #[test]
    fn keys_are_for_their_owner_and_files_are_not_replaced_unasked() {
        let folder = std::env::temp_dir().join(format!("portcullis-certs-{}", std::process::id()));
        let names = DEFAULT_NAMES.map(String::from);
        let made = make(&names, OffsetDateTime::now_utc()).expect("certificates");
        write(&folder, &made, false).expect("written");
        let mode = |name: &str| {
            let metadata = std::fs::metadata(folder.join(name)).expect("a file");
            metadata.permissions().mode() & 0o777
        };
        assert_eq!(
            (mode("ca.key"), mode("tls.key"), mode("tls.crt")),
            (0o600, 0o600, 0o644)
        );
        assert!(matches!(
            write(&folder, &made, false),
            Err(Error::Exists(_))
        ));
        write(&folder, &made, true).expect("replaced");
        assert_eq!(mode("tls.key"), 0o600);
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
