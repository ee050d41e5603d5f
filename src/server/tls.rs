//! The certificate: loaded as a pair, swapped under live traffic.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::telemetry::Metrics;

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file without what is looked for.
    #[error("{} holds no {what} in PEM form: `portcullis certs DIR` makes one", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// A certificate or a private key.
        what: &'static str,
    },
    /// Two files that do not belong together.
    #[error("the key in {} does not belong to the certificate in {}: give both of one pair", key.display(), cert.display())]
    Mismatch {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// A certificate out of its time.
    #[error("the certificate in {} {problem}: renew it", path.display())]
    Time {
        /// The file.
        path: PathBuf,
        /// Expired, or not yet valid.
        problem: &'static str,
    },
    /// Whatever rustls refuses.
    #[error("{} cannot be served", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The CA of callers.
    #[error("{} holds no CA that callers can be checked against", .0.display())]
    ClientCa(PathBuf),
}

/// The certificate in force, if there is one yet.
#[derive(Debug)]
pub struct Certificate {
    /// Where it comes from: files, or places that only messages name.
    cert: PathBuf,
    key: PathBuf,
    current: ArcSwapOption<Current>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    not_after: i64,
    /// Digest of both files: what was last looked at, taken or not.
    seen: [u8; 32],
}

impl Certificate {
    /// Loads a certificate and its key.
    ///
    /// # Errors
    ///
    /// A pair that cannot be served, or only out of its time.
    pub fn load(cert: &Path, key: &Path) -> Result<Certificate, Error> {
        let files = Files::read(cert, key)?;
        let current = ArcSwapOption::from_pointee(files.parse(cert, key)?);
        Ok(Certificate {
            cert: cert.to_owned(),
            key: key.to_owned(),
            current,
        })
    }

    /// One that [`Certificate::replace`] will give; until then every handshake
    /// fails. `place` is where it comes from, for messages.
    pub fn awaited(place: &str) -> Certificate {
        Certificate {
            cert: format!("{place}, tls.crt").into(),
            key: format!("{place}, tls.key").into(),
            current: ArcSwapOption::empty(),
        }
    }

    /// Serves this pair from now on, PEM. True if it is another one than
    /// before.
    ///
    /// # Errors
    ///
    /// A pair that cannot be served, or only out of its time: the one before
    /// stays.
    pub fn replace(&self, cert: Vec<u8>, key: Vec<u8>) -> Result<bool, Error> {
        let files = Files { cert, key };
        let seen = self.current.load().as_ref().map(|current| current.seen);
        if seen == Some(files.digest()) {
            return Ok(false);
        }
        let current = files.parse(&self.cert, &self.key)?;
        self.current.store(Some(Arc::new(current)));
        Ok(true)
    }

    /// When the certificate in force ends, Unix time; None before the first.
    pub fn not_after(&self) -> Option<i64> {
        self.current
            .load()
            .as_ref()
            .map(|current| current.not_after)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.load();
        current.as_ref().map(|current| Arc::clone(&current.key))
    }
}

struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    fn read(cert: &Path, key: &Path) -> Result<Files, Error> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            })
        };
        Ok(Files {
            cert: read(cert)?,
            key: read(key)?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.cert.len().to_le_bytes());
        hash.update(&self.cert);
        hash.update(&self.key);
        hash.finalize().into()
    }

    fn parse(&self, cert: &Path, key: &Path) -> Result<Current, Error> {
        let pem = |path: &Path, what| Error::Pem {
            path: path.to_owned(),
            what,
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<_, _>>()
            .map_err(|_| pem(cert, "certificate"))?;
        let first = chain.first().ok_or_else(|| pem(cert, "certificate"))?;
        let private =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| pem(key, "private key"))?;
        let not_after = validity(first, cert)?;
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Refused { path, source }
        };
        let signing = default_provider()
            .key_provider
            .load_private_key(private)
            .map_err(refused(key))?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(Error::Mismatch {
                    cert: cert.to_owned(),
                    key: key.to_owned(),
                });
            }
            Err(source) => return Err(refused(cert)(source)),
        }
        Ok(Current {
            key: Arc::new(certified),
            not_after,
            seen: self.digest(),
        })
    }
}

/// The end of a certificate's time, if we are within it.
fn validity(certificate: &CertificateDer<'_>, path: &Path) -> Result<i64, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| Error::Pem {
        path: path.to_owned(),
        what: "certificate",
    })?;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let (from, to) = (
        parsed.validity().not_before.timestamp(),
        parsed.validity().not_after.timestamp(),
    );
    let time = |problem| Error::Time {
        path: path.to_owned(),
        problem,
    };
    if now > to {
        return Err(time("has expired"));
    }
    if now < from {
        return Err(time("is not yet valid"));
    }
    Ok(to)
}

/// TLS 1.2 and 1.3, with whatever certificate is in force.
///
/// # Errors
///
/// A CA of callers that cannot be read.
pub fn config(
    certificate: &Arc<Certificate>,
    client_ca: Option<&Path>,
    http2: bool,
) -> Result<ServerConfig, Error> {
    let refused = |source| Error::Refused {
        path: certificate.cert.clone(),
        source,
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(refused)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(roots(path)?);
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots, Arc::new(default_provider()))
                    .build()
                    .map_err(|_| Error::ClientCa(path.to_owned()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::clone(certificate) as _);
    config.alpn_protocols = match http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    Ok(config)
}

fn roots(path: &Path) -> Result<RootCertStore, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let added = certificate
            .ok()
            .and_then(|certificate| roots.add(certificate).ok());
        added.ok_or_else(|| Error::ClientCa(path.to_owned()))?;
    }
    if roots.is_empty() {
        Err(Error::ClientCa(path.to_owned()))
    } else {
        Ok(roots)
    }
}

/// Looks at the files again and again. Contents count, not events: Kubernetes
/// swaps a symlink two folders up, which a watch of the file never sees
/// (reliability.md, section 4). A bad pair keeps the old one.
pub(super) async fn reload(certificate: Arc<Certificate>, metrics: Arc<Metrics>, poll: Duration) {
    let seen = certificate.current.load();
    let mut seen = seen.as_ref().map_or([0; 32], |current| current.seen);
    loop {
        tokio::time::sleep(poll).await;
        let looked = Arc::clone(&certificate);
        let next = tokio::task::spawn_blocking(move || look(&looked, seen)).await;
        match next {
            Ok(None) => {}
            Ok(Some((digest, Ok(current)))) => {
                seen = digest;
                metrics.certificate(current.not_after);
                metrics.certificate_reload(true);
                tracing::info!(
                    not_after = current.not_after,
                    "the certificate was replaced"
                );
                certificate.current.store(Some(Arc::new(current)));
            }
            Ok(Some((digest, Err(error)))) => {
                seen = digest;
                metrics.certificate_reload(false);
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, cause, "the changed certificate was refused; the old one stays");
            }
            Err(error) => tracing::error!(%error, "looking at the certificate failed"),
        }
    }
}

/// What is new since `seen`, if anything.
fn look(certificate: &Certificate, seen: [u8; 32]) -> Option<([u8; 32], Result<Current, Error>)> {
    match Files::read(&certificate.cert, &certificate.key) {
        Ok(files) => {
            let digest = files.digest();
            (digest != seen).then(|| (digest, files.parse(&certificate.cert, &certificate.key)))
        }
        // Files that are gone count once, as one state of their own.
        Err(error) => {
            let gone = [0; 32];
            (gone != seen).then_some((gone, Err(error)))
        }
    }
}
