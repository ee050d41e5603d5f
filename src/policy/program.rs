//! Where the program of a policy comes from.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Digest;

/// Where a program comes from: exactly one member is set. `oci` is reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", try_from = "ProgramMembers")]
#[schemars(with = "ProgramMembers")]
pub enum ProgramRef {
    /// A policy of the built-in pack, by name.
    Builtin(String),
    /// A component in a ConfigMap of the cluster.
    ConfigMap(ConfigMapRef),
    /// A `.wasm` file, relative to the file that names it.
    File(String),
}

/// A component in `binaryData` of a ConfigMap: for small programs and for
/// clusters without a registry.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMapRef {
    /// The namespace of the ConfigMap.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The member of `binaryData` that holds the component.
    pub key: String,
    /// The digest of the component's bytes: with others it is not loaded, so
    /// that who may write the ConfigMap cannot change the policy.
    pub digest: Digest,
}

/// Where a program comes from: exactly one member is set.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProgramMembers {
    /// A policy of the built-in pack, by name.
    builtin: Option<String>,
    /// A component in `binaryData` of a ConfigMap of the cluster.
    config_map: Option<ConfigMapRef>,
    /// A `.wasm` file, relative to the file that names it; not in a cluster.
    file: Option<String>,
}

impl TryFrom<ProgramMembers> for ProgramRef {
    type Error = &'static str;

    fn try_from(members: ProgramMembers) -> Result<Self, Self::Error> {
        match (members.builtin, members.config_map, members.file) {
            (Some(name), None, None) => Ok(ProgramRef::Builtin(name)),
            (None, Some(place), None) => Ok(ProgramRef::ConfigMap(place)),
            (None, None, Some(path)) => Ok(ProgramRef::File(path)),
            _ => Err("set exactly one of `builtin`, `configMap`, `file`"),
        }
    }
}

impl ConfigMapRef {
    /// `NAMESPACE/NAME`.
    pub fn object(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// For people: `image-tags`, `configmap NAMESPACE/NAME[KEY]`, `file PATH`.
impl fmt::Display for ProgramRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramRef::Builtin(name) => f.write_str(name),
            ProgramRef::ConfigMap(place) => {
                write!(f, "configmap {}[{}]", place.object(), place.key)
            }
            ProgramRef::File(path) => write!(f, "file {path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Result<ProgramRef, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn each_member_is_read_and_written_alike() {
        let digest = Digest::of(b"");
        let place = json!({"namespace": "a", "name": "b", "key": "c", "digest": digest});
        for (value, text) in [
            (json!({"builtin": "image-tags"}), "image-tags"),
            (json!({"configMap": place}), "configmap a/b[c]"),
            (json!({"file": "a.wasm"}), "file a.wasm"),
        ] {
            let program = read(value.clone()).expect("a program");
            assert_eq!(program.to_string(), text);
            assert_eq!(serde_json::to_value(&program).expect("JSON"), value);
        }
    }

    #[test]
    fn a_config_map_is_named_in_full_with_its_digest() {
        let bare = json!({"configMap": {"namespace": "a", "name": "b", "key": "c"}});
        assert!(read(bare).expect_err("no digest").contains("`digest`"));
        let bad = json!({"configMap": {"namespace": "a", "name": "b", "key": "c", "digest": "x"}});
        assert!(read(bad).expect_err("a bad digest").contains("sha256:"));
    }
}
