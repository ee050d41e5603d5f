//! What certificates say.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Validity;

/// PEM certificates, one by one; None if there is none.
pub(super) fn split(pem: &str) -> Option<Vec<String>> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks: Vec<String> = pem
        .split_inclusive(END)
        .filter(|block| block.ends_with(END))
        .map(|block| format!("{}\n", block.trim()))
        .collect();
    (!blocks.is_empty()).then_some(blocks)
}

/// What we want to know of a certificate.
pub(super) struct Certificate {
    pub(super) name: String,
    pub(super) validity: Validity,
    pub(super) public_key: Vec<u8>,
    pub(super) own_key: Option<Vec<u8>>,
    pub(super) issuer_key: Option<Vec<u8>>,
    pub(super) names: Vec<String>,
}

impl Certificate {
    pub(super) fn read(pem: &str) -> Option<Certificate> {
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

/// When a certificate expires, Unix seconds; None if it is none.
pub fn expiry(der: &[u8]) -> Option<i64> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    Some(parsed.validity().not_after.timestamp())
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    names.next()?.as_str().ok().map(ToOwned::to_owned)
}
