//! What a pod names.

use portcullis_sdk::pod::ContainerList;
use portcullis_sdk::{List, Reads};
use serde::Deserialize;

/// A kind that pods name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Secret,
    ConfigMap,
}

/// A name in a pod.
pub(crate) struct Reference {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// Whether the pod does not run without it.
    pub(crate) is_required: bool,
    /// JSON Pointer to the name.
    pub(crate) path: String,
    pub(crate) container: Option<String>,
    /// Whether the API has `optional` there.
    may_be_optional: bool,
}

/// What is read of a pod's spec.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    init_containers: List<Container>,
    containers: List<Container>,
    ephemeral_containers: List<Container>,
    volumes: List<Volume>,
    image_pull_secrets: List<Named>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    name: String,
    env: List<Variable>,
    env_from: List<EnvFrom>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Variable {
    value_from: Option<ValueFrom>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ValueFrom {
    secret_key_ref: Option<Named>,
    config_map_key_ref: Option<Named>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EnvFrom {
    secret_ref: Option<Named>,
    config_map_ref: Option<Named>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Volume {
    secret: Option<SecretVolume>,
    config_map: Option<Named>,
    projected: Option<Projected>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SecretVolume {
    secret_name: Option<String>,
    optional: Option<bool>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Projected {
    sources: List<Source>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    secret: Option<Named>,
    config_map: Option<Named>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Named {
    name: Option<String>,
    optional: Option<bool>,
}

impl Spec {
    /// All names, in the order of their places; `pod` is the path of the
    /// template.
    pub(crate) fn references(&self, pod: &str) -> Vec<Reference> {
        let mut found = Vec::new();
        let lists = [
            (ContainerList::Init, &self.init_containers),
            (ContainerList::Main, &self.containers),
            (ContainerList::Ephemeral, &self.ephemeral_containers),
        ];
        for (list, containers) in lists {
            for (index, container) in containers.iter().enumerate() {
                let at = format!("{pod}/spec/{}/{index}", list.member());
                container.references(&at, &mut found);
            }
        }
        for (index, volume) in self.volumes.iter().enumerate() {
            volume.references(&format!("{pod}/spec/volumes/{index}"), &mut found);
        }
        for (index, named) in self.image_pull_secrets.iter().enumerate() {
            let at = format!("{pod}/spec/imagePullSecrets/{index}");
            let reference = Some(named).and_then(|named| named.reference(Kind::Secret, &at));
            found.extend(reference.map(|reference| Reference {
                may_be_optional: false,
                is_required: true,
                ..reference
            }));
        }
        found
    }
}

impl Container {
    fn references(&self, at: &str, found: &mut Vec<Reference>) {
        let start = found.len();
        for (index, variable) in self.env.iter().enumerate() {
            let Some(from) = &variable.value_from else {
                continue;
            };
            let at = format!("{at}/env/{index}/valueFrom");
            both(
                &from.secret_key_ref,
                &from.config_map_key_ref,
                ["secretKeyRef", "configMapKeyRef"],
                &at,
                found,
            );
        }
        for (index, from) in self.env_from.iter().enumerate() {
            let at = format!("{at}/envFrom/{index}");
            both(
                &from.secret_ref,
                &from.config_map_ref,
                ["secretRef", "configMapRef"],
                &at,
                found,
            );
        }
        let name = (!self.name.is_empty()).then(|| self.name.clone());
        for reference in &mut found[start..] {
            reference.container.clone_from(&name);
        }
    }
}

impl Volume {
    fn references(&self, at: &str, found: &mut Vec<Reference>) {
        let secret = self.secret.as_ref().and_then(|secret| {
            Some(Reference {
                kind: Kind::Secret,
                name: secret.secret_name.clone()?,
                is_required: secret.optional != Some(true),
                path: format!("{at}/secret/secretName"),
                container: None,
                may_be_optional: true,
            })
        });
        found.extend(secret);
        both(&None, &self.config_map, ["secret", "configMap"], at, found);
        let sources = self
            .projected
            .iter()
            .flat_map(|projected| projected.sources.iter());
        for (index, source) in sources.enumerate() {
            let at = format!("{at}/projected/sources/{index}");
            both(
                &source.secret,
                &source.config_map,
                ["secret", "configMap"],
                &at,
                found,
            );
        }
    }
}

/// Takes a Secret and a ConfigMap that are named in two members at `at`.
fn both(
    secret: &Option<Named>,
    config_map: &Option<Named>,
    members: [&str; 2],
    at: &str,
    found: &mut Vec<Reference>,
) {
    let kinds = [(Kind::Secret, secret), (Kind::ConfigMap, config_map)];
    for ((kind, named), member) in kinds.into_iter().zip(members) {
        let at = format!("{at}/{member}");
        found.extend(named.as_ref().and_then(|named| named.reference(kind, &at)));
    }
}

impl Named {
    fn reference(&self, kind: Kind, at: &str) -> Option<Reference> {
        Some(Reference {
            kind,
            name: self.name.clone()?,
            is_required: self.optional != Some(true),
            path: format!("{at}/name"),
            container: None,
            may_be_optional: true,
        })
    }
}

impl Reference {
    /// What to write instead.
    pub(crate) fn remedy(&self) -> String {
        let made = format!(
            "make the {} `{}`, or name one that is there",
            self.kind.word(),
            self.name
        );
        match self.may_be_optional {
            true => format!("{made}; if it may be missing, write `optional: true`"),
            false => made,
        }
    }
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Secret => "Secret",
            Kind::ConfigMap => "ConfigMap",
        }
    }
}
