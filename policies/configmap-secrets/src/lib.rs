//! Credentials in ConfigMaps.
//!
//! The page of the policy is [`ConfigmapSecrets`]. `portcullis_secrets` knows
//! what a secret is; this crate knows where ConfigMaps hold their values.

use std::collections::BTreeMap;

use portcullis_sdk::contract::{MatchConstraints, Rule, pointer};
use portcullis_sdk::{Page, Place, Policy, Reads, Report, Text, shown};
use portcullis_secrets::Found;
use serde::Deserialize;

mod code;
mod settings;

pub use code::Code;
pub use settings::{Allowed, Pattern, Settings, Sureness, Treatment};

/// ## What it does
///
/// Looks for credentials in ConfigMaps: in plain values, and in the files that
/// they hold, whatever their format (YAML, JSON, TOML, INI, properties, XML,
/// dotenv, shell, SQL, nginx, Caddy and programs), also inside of base64 and in
/// `binaryData`. It knows them by the name that they stand under
/// (`admin_password`), by their looks (tokens of known formats, private keys,
/// URLs with user name and password), and by both.
///
/// Each finding names the key, the line in it, the kind of secret and how sure
/// that is, never the value.
///
/// ## Why is this bad?
///
/// Everybody who may look at an application may read its ConfigMaps: they are
/// in dashboards, in backups and in `kubectl describe`, they are not encrypted
/// where Secrets are, and no right to read Secrets is needed.
///
/// ## What it does not judge
///
/// - References: `${X}`, `$(X)`, `{{ x }}`, `!secret x`, `vault:...`, paths of
///   files that hold the secret.
/// - Placeholders (`changeme`), names of Secrets, switches, numbers, URLs
///   without a password, public keys, certificates, digests, and what is
///   encrypted (SOPS, SealedSecrets, Jasypt).
/// - Hashes of passwords are `configmap-secret-possible`: they can be guessed
///   at, but not used as they are.
/// - `kube-root-ca.crt` and what else every namespace is given.
/// - Entries on the list `allow`.
///
/// A name alone proves nothing, and neither does a value: `configmap-secret`
/// is sure, `configmap-secret-likely` may be wrong. What each leads to is said
/// by `validationActions` and `overrides`, by its code. The page
/// `docs/secret-detection.md` has all the rules.
///
/// It has to see values: without `grants: [values]` it finds nothing.
///
/// ## Examples
///
/// Denied:
///
/// ```yaml
/// kind: ConfigMap
/// data:
///   POSTGRES_PASSWORD: Tr0ub4dor-and-3
///   grafana.ini: |
///     [security]
///     admin_password = Tr0ub4dor-and-3
/// ```
///
/// Use instead:
///
/// ```yaml
/// kind: ConfigMap
/// data:
///   grafana.ini: |
///     [security]
///     admin_password = $__file{/etc/secrets/admin-password}
/// ---
/// kind: Secret
/// stringData:
///   POSTGRES_PASSWORD: Tr0ub4dor-and-3
///   admin-password: Tr0ub4dor-and-3
/// ```
#[derive(Debug, Page)]
pub struct ConfigmapSecrets;

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
pub struct Request<'a> {
    #[serde(borrow, default)]
    namespace: Text<'a>,
    #[serde(default)]
    object: Option<ConfigMap<'a>>,
}

/// What is read of a ConfigMap.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigMap<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    data: Option<BTreeMap<Text<'a>, Text<'a>>>,
    binary_data: Option<BTreeMap<Text<'a>, Text<'a>>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

/// The most findings of one ConfigMap: the host reads no more than 1,000, and
/// people fewer.
const MOST: usize = 200;

impl Policy for ConfigmapSecrets {
    type Request<'a> = Request<'a>;
    type Settings = Settings;
    type Code = Code;

    fn matches() -> MatchConstraints {
        MatchConstraints::from_iter([Rule::writes("", &["configmaps"])])
    }

    fn evaluate(request: &Request<'_>, settings: &Settings, report: &mut Report<Code>) {
        let (Some(object), Some(detector)) = (&request.object, settings.detector()) else {
            return;
        };
        let (namespace, name) = (&*request.namespace, &*object.metadata.name);
        if settings.passes(namespace, name) {
            return;
        }
        let mut count = 0;
        let mut judge = |member: &str, key: &str, value: &str, found: Vec<Found>| {
            let is_file = member == "data" && value.trim_end().contains('\n');
            for found in found {
                let is_left_out = settings.treats(found.confidence) == Treatment::Ignore;
                if count < MOST && !is_left_out {
                    count += 1;
                    find(member, key, is_file, &found, report);
                }
            }
        };
        let judged = |key: &str| !settings.allows(namespace, name, key);
        for (key, value) in object.data.iter().flatten().filter(|(key, _)| judged(key)) {
            judge("data", key, value, detector.entry(key, value));
        }
        for (key, value) in object
            .binary_data
            .iter()
            .flatten()
            .filter(|(key, _)| judged(key))
        {
            judge("binaryData", key, value, detector.binary(key, value));
        }
    }
}

/// Says what was found under a key, and never the value.
fn find(member: &str, key: &str, is_file: bool, found: &Found, report: &mut Report<Code>) {
    let place = Place::at(pointer::join(&format!("/{member}"), key));
    let name = found.name.as_deref().filter(|name| *name != key);
    let under = name.map(|name| format!(" under `{}`", shown(name)));
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let place = match found.at.filter(|_| is_file) {
        Some(at) => place.within(count(at.line), count(at.column)),
        None => place,
    };
    let message = format!(
        "`{}` holds {}{} ({} confidence)",
        shown(key),
        found.kind.title(),
        under.unwrap_or_default(),
        found.confidence.name(),
    );
    let remedy = "put it into a Secret, or name the entry in the setting `allow` if it is none";
    report.find(Code::of(found.confidence), place, remedy, message);
}

portcullis_sdk::export!(ConfigmapSecrets);
