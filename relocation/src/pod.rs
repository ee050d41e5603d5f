//! Pods: where they read the keys of a ConfigMap that have moved.
//!
//! A pod is written for ConfigMaps and stays so in every template. Only the
//! Pod itself is rewritten, to the serving Secrets ([`crate::names::serving`]):
//!
//! | the author wrote | the pod has |
//! |---|---|
//! | `env` with `configMapKeyRef` | `secretKeyRef`, for a key that has moved or is not there |
//! | `envFrom` with `configMapRef` | the same, and a `secretRef` directly after it |
//! | volume `configMap`, whole | `projected`: the ConfigMap, then both serving Secrets |
//! | volume `configMap` with `items` | `projected`, if one of these keys has moved or is not there |
//! | `projected` with `configMap` | the same source, split in its place |
//!
//! The author's form and ours mean the same, so that a pod is told by what it
//! means: on UPDATE, whatever means what the stored pod means is taken from the
//! stored pod, byte for byte, because the API server lets nearly nothing of a
//! pod change. An apply of the original manifest brings both forms at once;
//! ours is then taken for what the earlier rewriting left there.
//!
//! Where a ConfigMap is read whole, our reference is there before anything has
//! moved (`optional`), so that keys that move later arrive as natively. A key that
//! is named and not there yet, since the pod comes before its ConfigMap, may be
//! secret once it comes, and so is waited for in the serving Secret, which is given
//! it then whether it is or not ([`Reader::awaited`]).
//!
//! Nothing else may name a Secret of ours: [`Refusal::Reserved`].

mod env;
mod files;
mod form;
mod items;
mod legitimate;
mod owners;
mod reader;
mod readings;
mod sites;
mod uses;
mod volume;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use reader::Reader;
pub use readings::{How, readings};
pub use uses::{Use, Used, config_maps, unrewritten};

use crate::names::Half;
use form::{CONTAINERS, list};
use owners::Owners;

/// What is known of a ConfigMap at this moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether it exists. Of one that does not, nothing has moved.
    pub exists: bool,
    /// All its keys, of `data` and `binaryData`, moved or not.
    pub keys: BTreeSet<String>,
    /// The keys of `data` that the serving Secret holds: those with a
    /// placeholder, and those prepared, which are still in the ConfigMap, too.
    pub text: BTreeSet<String>,
    /// The same of `binaryData`.
    pub binary: BTreeSet<String>,
}

/// The ConfigMaps that a pod refers to ([`config_maps`]), by name. One that is
/// not here (exempt) is left alone.
pub type Maps = BTreeMap<String, Known>;

/// Why a pod is not rewritten but denied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody names a Secret of ours where the rewriting does not put it.
    #[error(
        "{pointer}: Secret {name:?} is Portcullis' own; refer to the ConfigMap whose key it holds"
    )]
    Reserved {
        /// Where.
        pointer: String,
        /// Which.
        name: String,
    },
    /// `items` give one path twice, which a projected volume may not, and which
    /// of them wins depends on a key that is not there.
    #[error(
        "{pointer}: path {path:?} is there twice and key {key:?} is not in ConfigMap {config_map:?}; give each item a path of its own"
    )]
    Ambiguous {
        /// Which volume.
        pointer: String,
        /// The path.
        path: String,
        /// What is missing.
        key: String,
        /// Where it is missing.
        config_map: String,
    },
}

impl Refusal {
    /// What is named: a Secret or a path.
    fn name(&self) -> &str {
        match self {
            Refusal::Reserved { name, .. } => name,
            Refusal::Ambiguous { path, .. } => path,
        }
    }
}

impl Known {
    /// In which half this key has moved, if it has.
    pub fn moved(&self, key: &str) -> Option<Half> {
        let halves = [Half::Text, Half::Binary];
        halves
            .into_iter()
            .find(|half| self.half(*half).contains(key))
    }

    /// What has moved of one half.
    fn half(&self, half: Half) -> &BTreeSet<String> {
        static NONE: BTreeSet<String> = BTreeSet::new();
        match half {
            _ if !self.exists => &NONE,
            Half::Text => &self.text,
            Half::Binary => &self.binary,
        }
    }

    fn has_key(&self, key: &str) -> bool {
        self.exists && (self.keys.contains(key) || self.moved(key).is_some())
    }

    /// Which serving Secret a key is read from, if any; one that is not there is
    /// awaited in `absent`.
    fn served_in(&self, key: &str, absent: Half) -> Option<Half> {
        match self.has_key(key) {
            true => self.moved(key),
            false => Some(absent),
        }
    }
}

/// What the rewriting looks at apart from the pod.
struct Context<'a> {
    maps: &'a Maps,
    owners: Owners,
}

/// The pod as it is to be stored. `old` is the stored one, on UPDATE and for
/// subresources. Deterministic; rewriting the result again changes nothing.
///
/// # Errors
///
/// A reference to a Secret of ours that does not follow from the pod's
/// ConfigMaps and is not in `old`; a volume that cannot be expressed.
pub fn rewrite(pod: &Value, old: Option<&Value>, maps: &Maps) -> Result<Value, Refusal> {
    let context = Context {
        maps,
        owners: Owners::of([Some(pod), old], maps),
    };
    let mut rewritten = pod.clone();
    for kind in CONTAINERS {
        for container in list_mut(&mut rewritten, kind) {
            let old = old.and_then(|old| form::named(&old["spec"][kind], &container["name"]));
            context.container(container, old);
        }
    }
    for (index, volume) in list_mut(&mut rewritten, "volumes").iter_mut().enumerate() {
        let old = old.and_then(|old| form::named(&old["spec"]["volumes"], &volume["name"]));
        context.volume(volume, old, index)?;
    }
    context.check(&rewritten, old).map_err(|refusal| {
        // Named as the author has it, if he does.
        let author = context.check(pod, old).err();
        author
            .filter(|author| author.name() == refusal.name())
            .unwrap_or(refusal)
    })?;
    Ok(rewritten)
}

/// The ConfigMaps whose serving Secrets a new pod does not read, and would if it had
/// been rewritten: nobody rewrote it, or somebody undid that. Whether anything of
/// them has moved yet says nothing: it may, before the pod is stored.
///
/// # Errors
///
/// As [`rewrite`].
pub fn bypassed(pod: &Value, maps: &Maps) -> Result<BTreeSet<String>, Refusal> {
    let rewritten = Reader::of(&rewrite(pod, None, maps)?);
    let stored = Reader::of(pod);
    let lacks = |map: &&String| {
        let has: Vec<Half> = stored.named(map).collect();
        rewritten.named(map).any(|half| !has.contains(&half))
    };
    Ok(maps.keys().filter(lacks).cloned().collect())
}

/// A list of the pod's spec, empty where there is none.
fn list_mut<'a>(pod: &'a mut Value, field: &str) -> &'a mut [Value] {
    let list = pod
        .get_mut("spec")
        .and_then(|spec| spec.get_mut(field)?.as_array_mut());
    list.map_or(&mut [], Vec::as_mut_slice)
}

/// Whether a pod names a Secret of ours where the rewriting does not put it:
/// for the validating side, which sees what other webhooks have added.
///
/// # Errors
///
/// [`Refusal::Reserved`].
pub fn check_names(pod: &Value, old: Option<&Value>, maps: &Maps) -> Result<(), Refusal> {
    let owners = Owners::of([Some(pod), old], maps);
    Context { maps, owners }.check(pod, old)
}

impl Context<'_> {
    fn container(&self, container: &mut Value, old: Option<&Value>) {
        for (field, rewrite) in [
            (
                "env",
                Context::env as fn(&Self, &[Value], &[Value]) -> Vec<Value>,
            ),
            ("envFrom", Context::env_from),
        ] {
            let old = old.map_or(&[][..], |old| list(&old[field]));
            if let Some(entries) = container.get_mut(field).and_then(Value::as_array_mut) {
                *entries = rewrite(self, entries, old);
            }
        }
    }

    /// Whether the reference to a serving Secret beside a whole ConfigMap is
    /// optional: natively nothing is missing while nothing has moved.
    fn is_optional(&self, config_map: &str, half: Half, author: bool) -> bool {
        let known = self.maps.get(config_map);
        author || known.is_none_or(|known| known.half(half).is_empty())
    }

    /// In which half a key of a ConfigMap has moved, if it has.
    fn moved(&self, config_map: &str, key: &str) -> Option<Half> {
        self.maps.get(config_map)?.moved(key)
    }
}

#[cfg(test)]
mod tests;
