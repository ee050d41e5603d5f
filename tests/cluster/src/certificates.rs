//! The certificates of a control plane, and the keys of its service accounts.
//!
//! One CA signs all: for a test, who trusts whom is not the point.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};

use crate::folder::Folder;

/// A cluster of a test lives for minutes, one to play with for hours.
const DAYS: i64 = 7;
/// What the API server is called: by clients here, and inside a cluster, where
/// 10.96.0.1 is the first address of the Services.
const SERVER_NAMES: [&str; 5] = [
    "127.0.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default.svc",
    "10.96.0.1",
];

/// Who talks to the API server: file name, `CN` and, where there is one, `O`,
/// which Kubernetes reads as user and group.
pub(crate) const CLIENTS: [(&str, &str, Option<&str>); 6] = [
    ("admin", "admin", Some("system:masters")),
    (
        "dev",
        crate::kubectl::DEV_USER,
        Some(crate::kubectl::DEV_GROUP),
    ),
    ("controller-manager", "system:kube-controller-manager", None),
    ("scheduler", "system:kube-scheduler", None),
    ("node", "system:node:node-1", Some("system:nodes")),
    ("aggregator", "aggregator", None),
];

/// Writes `ca.crt`, `ca.key`, NAME.crt and NAME.key of the server and of each
/// client, and `accounts.key` and `accounts.pub`.
pub(crate) fn write(folder: &Folder) -> Result<()> {
    let issuer = write_server(folder)?;
    for (name, user, group) in CLIENTS {
        leaf(folder, &issuer, name, parameters(&[], user, group)?)?;
    }
    let accounts = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    folder.write("accounts.key", &accounts.serialize_pem())?;
    folder.write("accounts.pub", &accounts.public_key_pem())?;
    Ok(())
}

/// Writes `ca.crt`, `ca.key`, `server.crt` and `server.key`; gives the CA.
pub(crate) fn write_server(folder: &Folder) -> Result<Issuer<'static, KeyPair>> {
    let ca_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut ca = parameters(&[], "test CA", None)?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    folder.write("ca.crt", &ca.self_signed(&ca_key)?.pem())?;
    folder.write("ca.key", &ca_key.serialize_pem())?;
    let issuer = Issuer::new(ca, ca_key);
    let server = parameters(&SERVER_NAMES, "kube-apiserver", None)?;
    leaf(folder, &issuer, "server", server)?;
    Ok(issuer)
}

fn parameters(names: &[&str], common: &str, group: Option<&str>) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut parameters = CertificateParams::new(names)?;
    if let Some(group) = group {
        parameters
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    parameters
        .distinguished_name
        .push(DnType::CommonName, common);
    let now = OffsetDateTime::now_utc();
    parameters.not_before = now - Duration::minutes(5);
    parameters.not_after = now + Duration::days(DAYS);
    Ok(parameters)
}

fn leaf(
    folder: &Folder,
    issuer: &Issuer<'_, KeyPair>,
    name: &str,
    mut parameters: CertificateParams,
) -> Result<()> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let certificate = parameters.signed_by(&key, issuer)?;
    folder.write(&format!("{name}.crt"), &certificate.pem())?;
    folder.write(&format!("{name}.key"), &key.serialize_pem())?;
    Ok(())
}
