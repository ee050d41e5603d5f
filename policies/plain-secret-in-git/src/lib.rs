//! Secrets in files, with their values in the clear.
//!
//! The page of the policy is [`PlainSecretInGit`]. `value` knows what is a
//! value, and what only says where one comes from.

use portcullis_sdk::contract::{MatchConstraints, Rule, pointer};
use portcullis_sdk::prelude::BTreeMap;
use portcullis_sdk::{Page, Place, Policy, Reads, Report, Text, shown};
use serde::Deserialize;

mod code;
mod settings;
mod value;

pub use code::Code;
pub use settings::Settings;
use value::Written;

/// ## What it does
///
/// Looks at Secrets in files, and reports each entry of `data` and
/// `stringData` that holds a value in the clear. It is asked by
/// `portcullis check` alone: in a cluster, a Secret with values is as it
/// should be.
///
/// ## Why is this bad?
///
/// What is in a repository is on every machine that has a copy of it, and in
/// every commit since. base64 is an encoding, and no cipher.
///
/// ## What it does not judge
///
/// - What SOPS has encrypted (`ENC[...]`), entry by entry: one that was left
///   out by mistake is reported. SealedSecrets and ExternalSecrets are other
///   kinds, and hold no value.
/// - Empty entries, which a controller fills in.
/// - References that are resolved when the Secret is applied: `${NAME}` of
///   Flux, `<path:...>` of the Argo CD Vault Plugin, `ref+...` of vals,
///   `op://`, `vault:`, templates.
/// - Secrets and keys on the lists `exemptNames` and `exemptKeys`: those of a
///   test bench, for one.
///
/// Names of users, databases and hosts, addresses without a password and
/// certificates are told apart (`plain-secret-detail`). Weak and well-known
/// passwords are values: they are what a cluster would run with.
///
/// It needs the grant `values`; without it all entries look empty.
///
/// ## Examples
///
/// Warned of:
///
/// ```yaml
/// kind: Secret
/// metadata: {name: db}
/// stringData: {password: Tr0ub4dor-and-3}
/// ```
///
/// Use instead (External Secrets):
///
/// ```yaml
/// kind: ExternalSecret
/// metadata: {name: db}
/// spec:
///   secretStoreRef: {kind: ClusterSecretStore, name: vault}
///   target: {name: db}
///   data: [{secretKey: password, remoteRef: {key: shop/db, property: password}}]
/// ```
#[derive(Debug, Page)]
pub struct PlainSecretInGit;

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
pub struct Request<'a> {
    #[serde(borrow, default)]
    object: Option<Object<'a>>,
}

/// What is read of a Secret.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    data: Option<BTreeMap<String, Text<'a>>>,
    string_data: Option<BTreeMap<String, Text<'a>>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

impl Policy for PlainSecretInGit {
    type Request<'a> = Request<'a>;
    type Settings = Settings;
    type Code = Code;

    const OFFLINE: bool = true;

    fn matches() -> MatchConstraints {
        MatchConstraints::from_iter([Rule::writes("", &["secrets"])])
    }

    fn evaluate(request: &Request<'_>, settings: &Settings, report: &mut Report<Code>) {
        let Some(object) = &request.object else {
            return;
        };
        if settings.exempts_name(&object.metadata.name) {
            return;
        }
        let entries = [
            (
                "/data",
                &object.data,
                value::of_base64 as fn(&str, &str) -> Written,
            ),
            ("/stringData", &object.string_data, value::of_text),
        ];
        for (member, entries, judge) in entries {
            for (key, text) in entries.iter().flatten() {
                if !settings.exempts_key(key) {
                    find(report, judge(key, text), (member, key));
                }
            }
        }
    }
}

fn find(report: &mut Report<Code>, written: Written, (member, key): (&str, &str)) {
    let place = Place::at(pointer::join(member, key));
    let name = shown(key);
    match written {
        Written::Nothing => {}
        Written::Value => report.find(
            Code::PlainSecret,
            place,
            "encrypt it (SOPS, SealedSecrets), or have it filled in (External Secrets)",
            format!("`{name}` is in this file in the clear"),
        ),
        Written::Detail => report.find(
            Code::PlainSecretDetail,
            place,
            "put it in a ConfigMap, or encrypt it with the rest",
            format!("`{name}` is in this file in the clear, and seems to be no credential"),
        ),
    }
}

portcullis_sdk::export!(PlainSecretInGit);
