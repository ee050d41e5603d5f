//! Effects: objects that a policy wants to exist beside the one it judges, and
//! rights that it wants the user to have. A policy only asks; the host acts,
//! where it is in a cluster and the operator granted it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Finding;

/// Effects of one verdict.
pub const MAX_EFFECTS: usize = 8;
/// Bytes of the object of one effect, as JSON.
pub const MAX_EFFECT_BYTES: usize = 64 * 1024;
/// Conditions and guarded findings of one verdict.
pub const MAX_CONDITIONS: usize = 128;

/// An object that a policy wants to exist in the namespace of the request. The
/// host acts on it if the operator granted `kind` to the policy
/// (`spec.effects` of the WasmPolicy).
///
/// The object is told from others by its name. The host puts it into the
/// namespace and marks it as Portcullis' own; an object of that name which is
/// not is never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Effect {
    /// One of the kinds of effects of the description: a resource with its
    /// group, as CustomResourceDefinitions are named
    /// (`networkpolicies.networking.k8s.io`, `secrets`).
    pub kind: String,
    /// Whether it must exist before the request is allowed. Else it comes to
    /// exist soon after.
    pub required: bool,
    /// The object: `apiVersion`, `kind`, `metadata` with a `name` and, if
    /// wanted, `labels` and `annotations`, and what it holds. It is compared
    /// with what the API server stores: write defaults out, and leave empty
    /// lists away.
    pub object: Value,
    /// What happens to one that is there and differs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: EffectMode,
    /// Objects of which one makes this needless: nothing is written then, and
    /// what was written before is withdrawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<Unless>,
}

/// What happens to an object of ours that differs from what is wanted.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum EffectMode {
    /// It is created where there is none, and never changed.
    #[default]
    Create,
    /// It is created, and brought back to what is wanted.
    Apply,
}

/// Objects of one resource, of which one makes an effect needless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unless {
    /// Group and version that the cluster is asked in. A cluster that does not
    /// serve it has no such object.
    pub api_version: String,
    /// The plural resource.
    pub resource: String,
    /// Whether such objects lie in no namespace; else those of the namespace
    /// of the request are looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cluster: bool,
    /// What an object has to fulfil, all of it.
    pub holds: Vec<Condition>,
}

/// What is to hold of one place of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// JSON Pointer; what is missing is null.
    pub path: String,
    /// What stands there.
    pub is: Test,
}

/// What is to stand at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Test {
    /// Anything but null.
    Present,
    /// One of these values.
    OneOf(Vec<Value>),
    /// A list that has this element, or none at all where that is all there
    /// could be.
    Contains(Value),
    /// A label selector that selects something with these labels.
    Selecting(BTreeMap<String, String>),
}

/// A finding that counts only where the user who asks may not do something.
/// Without a cluster nobody knows, and it does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guarded {
    /// What is found then.
    pub finding: Finding,
    /// What lifts it.
    pub permission: Permission,
}

/// What a user may be allowed to do with a resource that lies in no namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Permission {
    /// As in a Role: `update`.
    pub verb: String,
    /// The API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_group: String,
    /// The plural resource.
    pub resource: String,
    /// The one object concerned; absent for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Effect {
    /// An object that must exist before the request is allowed.
    pub fn required(kind: impl Into<String>, object: Value) -> Self {
        Effect {
            kind: kind.into(),
            required: true,
            object,
            mode: EffectMode::default(),
            unless: Vec::new(),
        }
    }

    /// An object that is to exist soon after the request.
    pub fn eventual(kind: impl Into<String>, object: Value) -> Self {
        Effect {
            required: false,
            ..Effect::required(kind, object)
        }
    }

    /// The same, brought back to what it is wherever it differs.
    #[must_use]
    pub fn applied(self) -> Self {
        Effect {
            mode: EffectMode::Apply,
            ..self
        }
    }

    /// The same, needless where there is one of these objects.
    #[must_use]
    pub fn unless(self, unless: impl IntoIterator<Item = Unless>) -> Self {
        Effect {
            unless: unless.into_iter().collect(),
            ..self
        }
    }

    /// What grants and people call the kinds: group and resource of a name
    /// such as `networkpolicies.networking.k8s.io`.
    pub fn group_resource(kind: &str) -> (&str, &str) {
        let (resource, group) = kind.split_once('.').unwrap_or((kind, ""));
        (group, resource)
    }

    /// `metadata.name` of the object; empty if it has none.
    pub fn name(&self) -> &str {
        let name = self.object.pointer("/metadata/name");
        name.and_then(Value::as_str).unwrap_or_default()
    }
}

/// Why effects of a verdict cannot be acted on, one line without values.
///
/// # Errors
///
/// The first rule that is broken: undeclared kinds, too many or too large
/// ones, objects without a name or with members that are the host's.
pub fn check(effects: &[Effect], declared: &BTreeSet<String>) -> Result<(), String> {
    if effects.len() > MAX_EFFECTS {
        let count = effects.len();
        return Err(format!(
            "it asked for {count} effects; at most {MAX_EFFECTS} are read"
        ));
    }
    for effect in effects {
        if !declared.contains(&effect.kind) {
            let kind: String = effect.kind.chars().take(64).collect();
            return Err(format!(
                "it asked for the effect {kind:?}, which its description does not declare"
            ));
        }
        let conditions = effect.unless.iter().map(|unless| unless.holds.len().max(1));
        if conditions.sum::<usize>() > MAX_CONDITIONS {
            return Err(format!(
                "an effect has more than {MAX_CONDITIONS} conditions in `unless`"
            ));
        }
        check_object(effect)?;
    }
    Ok(())
}

fn check_object(effect: &Effect) -> Result<(), String> {
    let kind = &effect.kind;
    let text = |pointer: &str| effect.object.pointer(pointer).and_then(Value::as_str);
    let version = text("/apiVersion").unwrap_or_default();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    if version.is_empty() || group != Effect::group_resource(kind).0 {
        return Err(format!(
            "`apiVersion` of the object of an effect `{kind}` is of another group"
        ));
    }
    if text("/kind").is_none_or(str::is_empty) {
        return Err(format!("the object of an effect `{kind}` has no `kind`"));
    }
    if !is_name(effect.name()) {
        return Err(format!(
            "`metadata.name` of the object of an effect `{kind}` is no name: lower case letters, \
             digits, `-` and `.`, at most 253"
        ));
    }
    let metadata = effect.object.get("metadata").and_then(Value::as_object);
    let mut members = metadata.into_iter().flat_map(|members| members.keys());
    if members.any(|member| !matches!(member.as_str(), "name" | "labels" | "annotations")) {
        return Err(format!(
            "`metadata` of the object of an effect `{kind}` has more than `name`, `labels` and \
             `annotations`: the rest is the host's"
        ));
    }
    if !metadata.is_some_and(has_texts) {
        return Err(format!(
            "`metadata.labels` or `annotations` of the object of an effect `{kind}` are no texts by \
             name"
        ));
    }
    let bytes = effect.object.to_string().len();
    if bytes > MAX_EFFECT_BYTES {
        return Err(format!(
            "the object of an effect `{kind}` has {bytes} bytes; at most {MAX_EFFECT_BYTES} are \
             read"
        ));
    }
    Ok(())
}

/// Whether labels and annotations, if there are any, are what the API has.
fn has_texts(metadata: &Map<String, Value>) -> bool {
    let are_texts = |value: &Value| match value {
        Value::Null => true,
        Value::Object(texts) => texts.values().all(Value::is_string),
        _ => false,
    };
    let members = ["labels", "annotations"].map(|name| metadata.get(name));
    members.into_iter().flatten().all(are_texts)
}

/// A DNS subdomain, as most kinds of Kubernetes want it.
fn is_name(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let is_outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=253).contains(&name.len())
        && name.chars().all(is_inner)
        && name.starts_with(is_outer)
        && name.ends_with(is_outer)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
