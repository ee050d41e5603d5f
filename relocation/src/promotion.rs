//! What pods read: the serving Secrets of a ConfigMap, made from what was
//! committed and from nothing else.
//!
//! The order of reading is what makes it safe, for however slow or doubled a
//! promoter: the serving Secrets first, *then* the ConfigMap (a quorum read, no
//! cache), then the staged Secrets that [`wanted`] names, then the writes that
//! [`plan`] says, each with the resourceVersion read first (or as a create). What
//! was written in between makes the write fail, and it is all begun again.
//!
//! Two things more, both found by the model of the protocol (`relocation/model`):
//!
//! - While the ConfigMap exists a serving Secret is emptied and not deleted, and
//!   once a key has moved it is created even if it is empty. Where it is absent, a
//!   promoter that read "none" long ago could still create it, of a state that is
//!   past.
//! - A serving Secret says what state it was made from, and is written again for a
//!   new state though its data may stay. Where keys are added and taken out again,
//!   data of the past comes back: a promoter that found nothing to write would
//!   publish its state, and one that read the state between could still write it.
//!   So states must not come back, which [`crate::marks::MOVED`] on the ConfigMap sees to.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

use crate::config_map::{ConfigMap, Content, Malformed, NEVER, matches};
use crate::digest::{Keyring, Owner};
use crate::field::Field;
use crate::held::Held;
use crate::names::{Half, hex, serving};
use crate::placeholder::Placeholder;
use crate::secret::{Manifest, OwnerReference};
use crate::sensitive::Sensitive;

/// What was read, in the order of the members. No `Debug`: it holds values.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Namespace of the ConfigMap.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its serving Secrets, as far as they exist.
    pub serving: &'a BTreeMap<Half, Held>,
    /// The ConfigMap, if it exists.
    pub config_map: Option<&'a Value>,
    /// Staged Secrets by name, of those that are [`wanted`] all that exist.
    pub staged: &'a BTreeMap<String, Held>,
    /// Keys whose values are served while the ConfigMap holds them: what is being
    /// prepared. A key that was served once is served on, whether it is among
    /// these or not: pods read it from the Secret.
    pub prepared: &'a BTreeSet<Field>,
    /// Halves whose serving Secret pods name. It is created even if it is empty, so
    /// that a pod which waits for it can start.
    pub named: &'a BTreeSet<Half>,
    /// Keys that pods read there by name ([`crate::pod::Reader::awaited`]): they are served
    /// from whatever the ConfigMap holds under them. A pod that came before its
    /// ConfigMap awaits keys in the binary half that may turn out to be text.
    pub awaited: &'a BTreeSet<Field>,
    /// Keys for digests.
    pub keyring: &'a Keyring,
}

/// What is to be done and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// Writes, none where all is as it should be. If one fails for a conflict or
    /// because it exists, all is read again.
    pub actions: Vec<Action>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Keys that are served once the actions are done.
    pub served: BTreeSet<Field>,
    /// What tells whether a pod may rely on it ([`is_promoted`]), to be published
    /// once the actions are done. None where the ConfigMap is gone, or a Secret
    /// that is not ours has the name: what was published is then to be cleared.
    pub state: Option<String>,
}

/// A write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Create; refused if the name is taken.
    Create(Manifest),
    /// Replace; the resourceVersion is in the manifest.
    Update(Manifest),
    /// Delete, with both as preconditions.
    Delete {
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
        /// What it was read at.
        resource_version: String,
    },
}

/// What a person must see to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Problem {
    /// A placeholder whose Secret is gone, or has no such key. The value is lost
    /// to pods until it is written again or the Secret is put back.
    Dangling {
        /// The key.
        field: Field,
        /// The Secret that the placeholder names.
        secret: String,
    },
    /// A placeholder that was not issued for this ConfigMap, key and value, or by
    /// keys that are gone. Its value is not served.
    Unverified {
        /// The key.
        field: Field,
        /// The Secret that the placeholder names.
        secret: String,
    },
    /// A Secret that is not ours has the name of the serving one.
    Foreign {
        /// The Secret.
        secret: String,
    },
}

/// Where a served value comes from: the placeholder, or the ConfigMap itself.
type Served = BTreeMap<String, (Sensitive, Option<String>)>;

/// Names of the staged Secrets that the ConfigMap's placeholders name.
///
/// # Errors
///
/// No ConfigMap as the API server writes one.
pub fn wanted(config_map: &Value) -> Result<BTreeSet<String>, Malformed> {
    let contents = ConfigMap::new(config_map).contents()?;
    let named = contents.into_values().filter_map(|content| match content {
        Content::Placeholder(placeholder) => Some(placeholder.secret),
        _ => None,
    });
    Ok(named.collect())
}

/// Says what is to be written.
///
/// # Errors
///
/// No ConfigMap as the API server writes one. Nothing is to be done then.
pub fn plan(input: &Input<'_>) -> Result<Promotion, Malformed> {
    let mut promotion = Promotion {
        actions: vec![],
        problems: vec![],
        served: BTreeSet::new(),
        state: None,
    };
    for (half, held) in input.serving {
        if !held.ours {
            let secret = serving(input.name, *half);
            promotion.problems.push(Problem::Foreign { secret });
        }
    }
    let Some(object) = input.config_map else {
        promotion.actions = input.serving.values().filter_map(deleted).collect();
        return Ok(promotion);
    };
    let config_map = ConfigMap::new(object);
    let uid = config_map.uid();
    let uid = uid.ok_or_else(|| Malformed("metadata.uid".to_owned(), "ConfigMap"))?;
    let contents = config_map.contents()?;
    let mut lost = BTreeMap::new();
    for half in Half::ALL {
        let served = promotion.served(input, half, &contents, &mut lost);
        promotion.write(input, half, (served, uid));
    }
    promotion.actions.extend(repairs(input, lost));
    let is_foreign = |problem: &Problem| matches!(problem, Problem::Foreign { .. });
    if !promotion.problems.iter().any(is_foreign) {
        promotion.state = Some(state(&config_map, &promotion.served));
    }
    Ok(promotion)
}

/// Whether a pod that uses this ConfigMap has to wait for promotion: for as long as
/// nothing has moved out of it and nothing was published for its name, it has not.
pub fn is_relocated(config_map: &Value) -> bool {
    let config_map = ConfigMap::new(config_map);
    let moved = |half| config_map.epoch(half) != NEVER || !config_map.placeholders(half).is_empty();
    Half::ALL.into_iter().any(moved)
}

/// Whether what was published as [`Promotion::state`] and [`Promotion::served`]
/// is of this very ConfigMap: if not, a pod that uses it must wait.
pub fn is_promoted(config_map: &Value, published: &str, served: &BTreeSet<Field>) -> bool {
    let config_map = ConfigMap::new(config_map);
    config_map.contents().is_ok() && state(&config_map, served) == published
}

fn state(config_map: &ConfigMap<'_>, served: &BTreeSet<Field>) -> String {
    Half::ALL
        .map(|half| half_state(config_map, half, served))
        .join(".")
}

/// The uid, the epoch and all placeholders of a half. Where values are served that
/// no placeholder stands for, they can come back; so the resourceVersion counts too.
fn half_state(config_map: &ConfigMap<'_>, half: Half, served: &BTreeSet<Field>) -> String {
    let placeholders = config_map.placeholders(half);
    let mut parts = vec![config_map.uid().unwrap_or_default(), config_map.epoch(half)];
    for (field, text) in &placeholders {
        parts.extend([field.key.as_str(), text]);
    }
    let mut of_half = served.iter().filter(|field| field.half == half);
    if of_half.any(|field| !placeholders.contains_key(field)) {
        parts.extend(config_map.resource_version());
    }
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    hex(&context.finish().as_ref()[..16])
}

fn deleted(held: &Held) -> Option<Action> {
    held.ours.then(|| Action::Delete {
        name: held.name.clone(),
        uid: held.uid.clone(),
        resource_version: held.resource_version.clone(),
    })
}

impl Promotion {
    fn served(
        &mut self,
        input: &Input<'_>,
        half: Half,
        contents: &BTreeMap<Field, Content>,
        lost: &mut BTreeMap<String, BTreeMap<String, Sensitive>>,
    ) -> Served {
        let held = input.serving.get(&half).filter(|held| held.ours);
        let before = held.map(Held::placeholders).unwrap_or_default();
        let mut served = Served::new();
        for (field, content) in contents {
            let key = &field.key;
            let here = Field {
                half,
                key: key.clone(),
            };
            let is_awaited = input.awaited.contains(&here) || before.contains_key(key);
            if field.half != half && !(half == Half::Binary && is_awaited) {
                continue;
            }
            let placeholder = match content {
                Content::Placeholder(placeholder) => placeholder,
                Content::Plain(value) => {
                    if is_awaited || input.prepared.contains(field) {
                        served.insert(key.clone(), (value.clone(), None));
                    }
                    continue;
                }
                Content::Malformed(_) => continue,
            };
            let text = placeholder.to_string();
            // What was taken by the same placeholder before is still its value.
            let kept = held.filter(|_| before.get(key) == Some(&Some(text.clone())));
            let kept = kept.and_then(|held| held.data.get(key)).cloned();
            let value = match (resolved(input, field, placeholder), kept) {
                (Ok(value), _) | (Err(Problem::Unverified { .. }), Some(value)) => value,
                (Err(_), Some(value)) => {
                    let lost = lost.entry(placeholder.secret.clone()).or_default();
                    lost.insert(key.clone(), value.clone());
                    value
                }
                (Err(problem), None) => {
                    self.problems.push(problem);
                    continue;
                }
            };
            served.insert(key.clone(), (value, Some(text)));
        }
        served
    }

    fn write(&mut self, input: &Input<'_>, half: Half, (served, uid): (Served, &str)) {
        let held = input.serving.get(&half);
        let keys = served.keys().cloned();
        self.served.extend(keys.map(|key| Field { half, key }));
        let Some(object) = input.config_map else {
            return;
        };
        let config_map = ConfigMap::new(object);
        let is_wanted = !served.is_empty()
            || input.named.contains(&half)
            || config_map.epoch(half) != NEVER
            || !config_map.placeholders(half).is_empty();
        if held.is_some_and(|held| !held.ours) || held.is_none() && !is_wanted {
            return;
        }
        let mut data = BTreeMap::new();
        let mut made_from = BTreeMap::new();
        for (key, (value, placeholder)) in served {
            made_from.insert(key.clone(), placeholder);
            data.insert(key, value);
        }
        let state = half_state(&config_map, half, &self.served);
        let is_current = |held: &Held| {
            held.data == data
                && held.placeholders() == made_from
                && held.owner.as_deref() == Some(uid)
                && held.state.as_ref() == Some(&state)
        };
        if held.is_some_and(is_current) {
            return;
        }
        let told = [serde_json::json!(made_from).to_string(), state];
        let owner = OwnerReference::config_map(input.name, uid);
        let at = held.map(|held| held.resource_version.as_str());
        let name = serving(input.name, half);
        let manifest = Manifest::serving(input.namespace, &name, owner, (data, told), at);
        self.actions.push(match at {
            Some(_) => Action::Update(manifest),
            None => Action::Create(manifest),
        });
    }
}

/// The value that a placeholder stands for.
///
/// # Errors
///
/// [`Problem::Dangling`] or [`Problem::Unverified`].
pub(crate) fn resolved(
    input: &Input<'_>,
    field: &Field,
    placeholder: &Placeholder,
) -> Result<Sensitive, Problem> {
    let secret = placeholder.secret.clone();
    let staged = input.staged.get(&secret);
    let Some(value) = staged.and_then(|staged| staged.data.get(&field.key)) else {
        let field = field.clone();
        return Err(Problem::Dangling { field, secret });
    };
    let owners: Vec<Owner<'_>> = match input.config_map {
        Some(object) => ConfigMap::new(object).owners(Some(input.name)),
        None => vec![],
    };
    let both = (placeholder, value);
    if matches(input.keyring, input.namespace, &owners, field, both) {
        return Ok(value.clone());
    }
    let field = field.clone();
    Err(Problem::Unverified { field, secret })
}

/// Staged Secrets that somebody deleted, as far as their values are still served.
fn repairs(
    input: &Input<'_>,
    lost: BTreeMap<String, BTreeMap<String, Sensitive>>,
) -> impl Iterator<Item = Action> {
    let missing = lost.into_iter();
    let missing = missing.filter(|(name, _)| !input.staged.contains_key(name));
    missing.map(|(name, data)| {
        Action::Create(Manifest::staged(input.namespace, &name, input.name, data))
    })
}

#[cfg(test)]
pub(crate) mod tests;
