//! What is in a ConfigMap that holds a program. Nothing here talks to anyone.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;

use super::home::MANAGER;
use super::programs::Data;
use crate::policy::program::ConfigMapRef;
use crate::policy::{Cause, Digest, Failure};

/// The labels of kept programs.
const LABELS: [(&str, &str); 2] = [
    ("app.kubernetes.io/managed-by", MANAGER),
    ("portcullis.dev/kept", "program"),
];
/// Selects kept programs.
pub const SELECTOR: &str = "app.kubernetes.io/managed-by=portcullis,portcullis.dev/kept=program";
const KEY: &str = "program.wasm";

/// Where the copy of a program is kept.
pub fn place(namespace: &str, digest: &Digest) -> ConfigMapRef {
    ConfigMapRef {
        namespace: namespace.to_owned(),
        name: name(digest),
        key: KEY.to_owned(),
        digest: digest.clone(),
    }
}

/// The name of the copy of a program.
pub fn name(digest: &Digest) -> String {
    format!("{MANAGER}-program-{}", digest.hex())
}

/// The copy of a program. It cannot be changed, only deleted.
pub fn config_map(
    namespace: &str,
    digest: &Digest,
    bytes: &[u8],
    owner: Option<OwnerReference>,
) -> ConfigMap {
    let labels = LABELS.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let bytes = ByteString(bytes.to_vec());
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name(digest)),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels.into()),
            owner_references: owner.map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        binary_data: Some(BTreeMap::from([(KEY.to_owned(), bytes)])),
        data: None,
    }
}

/// Of the names of copies, those of programs that are not used.
pub fn unused(names: &[String], used: &BTreeSet<Digest>) -> BTreeSet<String> {
    let used: BTreeSet<String> = used.iter().map(name).collect();
    let unused = names.iter().filter(|name| !used.contains(*name));
    unused.cloned().collect()
}

/// The program in a ConfigMap's `binaryData`; None if there is no such object.
///
/// # Errors
///
/// What is missing or other than the policy says.
pub fn program(place: &ConfigMapRef, data: Option<Data>) -> Result<Vec<u8>, Failure> {
    let object = place.object();
    let wrong = |problem: String| Failure::host(Cause::Source, problem);
    let Some(mut data) = data else {
        return Err(wrong(format!(
            "there is no ConfigMap `{object}` with `binaryData`: create it before the policy, \
             with `kubectl create configmap {} -n {} --from-file={}=FILE.wasm`",
            place.name, place.namespace, place.key
        )));
    };
    let Some(ByteString(bytes)) = data.remove(&place.key) else {
        let keys: Vec<&str> = data.keys().map(String::as_str).collect();
        return Err(wrong(format!(
            "`binaryData` of the ConfigMap `{object}` has no `{}`: it has `{}`",
            place.key,
            keys.join("`, `")
        )));
    };
    let digest = Digest::of(&bytes);
    if digest != place.digest {
        return Err(wrong(format!(
            "`{}` of the ConfigMap `{object}` has the digest `{digest}`, and the policy names \
             another: write this one if you trust it, or put the right program there",
            place.key
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(bytes: &[u8]) -> ConfigMapRef {
        ConfigMapRef {
            namespace: "policies".into(),
            name: "tags".into(),
            key: "tags.wasm".into(),
            digest: Digest::of(bytes),
        }
    }

    fn data(bytes: &[u8]) -> Option<Data> {
        let bytes = ByteString(bytes.to_vec());
        Some(Data::from([("tags.wasm".to_owned(), bytes)]))
    }

    #[test]
    fn a_program_is_what_its_digest_says() {
        let found = program(&reference(b"code"), data(b"code"));
        assert!(found.is_ok_and(|bytes| bytes == b"code"));
        let other = program(&reference(b"code"), data(b"other")).expect_err("another");
        let digest = Digest::of(b"other");
        assert!(other.message.contains(digest.as_str()), "{other}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let place = reference(b"code");
        let missing = program(&place, None).expect_err("no ConfigMap");
        assert!(missing.message.contains("`policies/tags`"), "{missing}");
        let place = ConfigMapRef {
            key: "other".into(),
            ..place
        };
        let missing = program(&place, data(b"code")).expect_err("no key");
        assert!(
            missing
                .message
                .contains("has no `other`: it has `tags.wasm`"),
            "{missing}"
        );
    }

    #[test]
    fn a_copy_is_found_where_it_was_put() {
        let digest = Digest::of(b"code");
        let map = config_map("home", &digest, b"code", None);
        assert_eq!(map.immutable, Some(true));
        let place = place("home", &digest);
        assert_eq!(map.metadata.name.as_ref(), Some(&place.name));
        assert!(program(&place, map.binary_data).is_ok_and(|bytes| bytes == b"code"));
        let labels = map.metadata.labels.expect("labels");
        let selector: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(selector.join(","), SELECTOR);
    }

    #[test]
    fn only_what_nobody_refers_to_is_unused() {
        let (one, other) = (Digest::of(b"1"), Digest::of(b"2"));
        let names = [name(&one), name(&other)];
        let used = BTreeSet::from([one]);
        assert_eq!(unused(&names, &used), BTreeSet::from([name(&other)]));
    }
}
