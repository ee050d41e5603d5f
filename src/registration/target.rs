//! Where the API server finds us, and how it knows that it is us.

use std::net::Ipv6Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use super::Error;
use super::name::is_label;
use crate::certs::is_name;

/// The port of a Service where none is named (Kubernetes' own default).
const HTTPS_PORT: u16 = 443;

/// Where the API server finds us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `https://HOST:PORT`, without a slash at the end.
    Url(String),
    /// A Service of the cluster.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
}

impl Target {
    /// What `--url` or `--service` says.
    ///
    /// # Errors
    ///
    /// Neither or both are given; what the API server would refuse.
    pub fn new(url: Option<&str>, service: Option<&str>) -> Result<Target, Error> {
        match (url, service) {
            (Some(url), None) => parse_url(url),
            (None, Some(service)) => parse_service(service),
            _ => Err(Error::Option {
                option: "--url or --service",
                problem: "is needed, one of them: where does the API server find Portcullis?"
                    .into(),
            }),
        }
    }

    /// The namespace that we run in, if it is in the cluster.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Target::Url(_) => None,
            Target::Service { namespace, .. } => Some(namespace),
        }
    }

    /// `clientConfig` of an entry.
    pub(crate) fn client_config(&self, path: &str, ca_bundle: Option<&CaBundle>) -> Value {
        let mut config = match self {
            Target::Url(url) => json!({"url": format!("{url}{path}")}),
            Target::Service {
                namespace,
                name,
                port,
            } => json!({
                "service": {"namespace": namespace, "name": name, "path": path, "port": port},
            }),
        };
        if let Some(bundle) = ca_bundle {
            config["caBundle"] = bundle.0.clone().into();
        }
        config
    }
}

fn parse_url(text: &str) -> Result<Target, Error> {
    let refuse = |why: &str| Error::Option {
        option: "--url",
        problem: format!("`{text}` {why}: write `https://HOST:PORT`"),
    };
    let rest = text
        .strip_prefix("https://")
        .ok_or_else(|| refuse("does not start with `https://`"))?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(refuse("has a path or a query, which are added here"));
    }
    if authority.contains('@') {
        return Err(refuse("has a user, which the API server refuses"));
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed
            .split_once(']')
            .ok_or_else(|| refuse("has no `]`"))?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_host = match authority.starts_with('[') {
        true => host.parse::<Ipv6Addr>().is_ok(),
        false => is_name(host) && !host.starts_with('*'),
    };
    if !is_host {
        return Err(refuse("has no host that can be called"));
    }
    match port.strip_prefix(':') {
        Some(number) if parse_port(number).is_none() => Err(refuse("has no port of 1 to 65535")),
        None if !port.is_empty() => Err(refuse("has something after its host")),
        _ => Ok(Target::Url(format!("https://{authority}"))),
    }
}

fn parse_service(text: &str) -> Result<Target, Error> {
    let refuse = || Error::Option {
        option: "--service",
        problem: format!("`{text}` is no Service: write `NAMESPACE/NAME` or `NAMESPACE/NAME:PORT`"),
    };
    let (namespace, rest) = text.split_once('/').ok_or_else(refuse)?;
    let (name, port) = match rest.split_once(':') {
        Some((name, port)) => (name, parse_port(port).ok_or_else(refuse)?),
        None => (rest, HTTPS_PORT),
    };
    if !is_label(namespace) || !is_label(name) {
        return Err(refuse());
    }
    Ok(Target::Service {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        port,
    })
}

fn parse_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

/// The `caBundle` of a registration, as it is written there: base64 of PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle(String);

impl CaBundle {
    /// Takes PEM certificates.
    ///
    /// # Errors
    ///
    /// No certificate, one that is broken, or a private key: everybody who may
    /// read the registration could read that.
    pub fn parse(pem: &[u8]) -> Result<CaBundle, Error> {
        let refuse = |problem: &str| Error::Option {
            option: "--ca-file",
            problem: problem.to_owned(),
        };
        if PrivateKeyDer::pem_slice_iter(pem).any(|key| key.is_ok()) {
            return Err(refuse(
                "holds a private key, which the registration would publish: give the CA's \
                 certificate, `ca.crt`",
            ));
        }
        let certificates = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| refuse(&format!("is not PEM ({error}): give `ca.crt`")))?;
        let is_certificate =
            |der: &CertificateDer<'_>| x509_parser::parse_x509_certificate(der).is_ok();
        if certificates.is_empty() || !certificates.iter().all(is_certificate) {
            return Err(refuse(
                "holds no certificate, or a broken one: give the CA of the server's certificate, \
                 PEM (`portcullis certs` writes `ca.crt`)",
            ));
        }
        Ok(CaBundle(STANDARD.encode(pem)))
    }

    /// The text of the field.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs;

    #[test]
    fn targets_are_what_the_api_server_can_call() {
        for (url, expected) in [
            ("https://10.0.0.7:8443", "https://10.0.0.7:8443"),
            (
                "https://webhook.example.org/",
                "https://webhook.example.org",
            ),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            let target = Target::new(Some(url), None);
            assert_eq!(target, Ok(Target::Url(expected.into())), "{url}");
        }
        for (service, expected) in [("a/b", ("a", "b", 443)), ("a/b:8443", ("a", "b", 8443))] {
            let (namespace, name, port) = expected;
            let (namespace, name) = (namespace.into(), name.into());
            let expected = Target::Service {
                namespace,
                name,
                port,
            };
            assert_eq!(Target::new(None, Some(service)), Ok(expected), "{service}");
        }
    }

    #[test]
    fn what_cannot_be_called_is_refused_with_what_to_write() {
        for url in [
            "",
            "http://a",
            "https://",
            "https://a/validate",
            "https://a?x",
            "https://u@a",
            "https://a:0",
            "https://a:+1",
            "https://a:65536",
            "https://a b",
            "https://[::1",
            "https://[::1]x",
            "https://[a]",
            "https://*.a",
            "https://::1",
        ] {
            let error = Target::new(Some(url), None).expect_err(url).to_string();
            assert!(error.contains("write `https://HOST:PORT`"), "{error}");
        }
        for service in ["", "a", "/b", "a/", "a/b:", "a/b:x", "A/b", "a/b/c", "a/-b"] {
            let error = Target::new(None, Some(service)).expect_err(service);
            assert!(error.to_string().contains("`NAMESPACE/NAME`"), "{error}");
        }
        assert!(Target::new(None, None).is_err());
        assert!(Target::new(Some("https://a"), Some("a/b")).is_err());
    }

    #[test]
    fn a_registration_never_publishes_a_key() {
        let made = certs::make(&["a".to_owned()], time::OffsetDateTime::UNIX_EPOCH).expect("made");
        let both = format!("{}{}", made.ca.certificate, made.ca.key);
        for (pem, text) in [
            (both.as_str(), "private key"),
            (made.ca.key.as_str(), "private key"),
            ("", "holds no certificate"),
            ("hello", "holds no certificate"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "holds no certificate, or a broken one",
            ),
            ("-----BEGIN CERTIFICATE-----\n", "--ca-file"),
        ] {
            let error = CaBundle::parse(pem.as_bytes()).expect_err(pem);
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
