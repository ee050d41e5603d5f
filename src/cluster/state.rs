//! What an installation remembers of its registration, in a ConfigMap that
//! people can read: what it has registered, what was taken away and by whom,
//! and what keeps it from being as asked.
//!
//! Without it, a registration that somebody deleted (the break-glass) could
//! not be told from one that was never made.
//!
//! Versions: a replica of an older version may come to lead, in a rollout or
//! after a rollback. So later versions only add members, and never give one
//! another meaning or a new word; and a member that is not known is kept as it
//! is, so that the newer version finds it when it leads again. To refuse such a
//! state would stop all writing, and to drop the member would forget, say, who
//! took a registration away.

pub mod api;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The ConfigMap, in the namespace of the installation.
pub const NAME: &str = "portcullis-state";
/// The entry of it.
const KEY: &str = "state.json";

/// The two kinds of webhook configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `ValidatingWebhookConfiguration`
    Validating,
    /// `MutatingWebhookConfiguration`
    Mutating,
}

impl Kind {
    /// Both.
    pub const ALL: [Kind; 2] = [Kind::Validating, Kind::Mutating];
}

/// How a configuration came to be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Somebody deleted it: the break-glass.
    Deleted,
    /// `portcullis pause`
    Paused,
    /// `portcullis deregister`
    Deregistered,
}

/// A configuration that stays away until `portcullis resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// How it went.
    pub how: How,
    /// Who did it, as the API server knows them; empty if nobody can tell.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// What a later version says besides.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// One thing that is so or not, as `metav1.Condition` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Anchored`, `CertificatesKept`, `FailWithheld`, `Registered`.
    pub r#type: String,
    /// Whether it is so.
    pub status: bool,
    /// One word.
    pub reason: String,
    /// One line.
    pub message: String,
    /// Since when it is so or not, RFC 3339.
    pub since: String,
}

/// A profile that is in force beside the policies of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// `starter`
    pub profile: String,
    /// Of Portcullis: another one may bring other policies.
    pub version: String,
    /// When both were first in force, RFC 3339.
    pub since: String,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// What we have written.
    pub registered: BTreeSet<Kind>,
    /// What stays away.
    pub away: BTreeMap<Kind, Away>,
    /// What the leader has to say.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Namespaces that are never judged.
    #[serde(default)]
    pub excluded_namespaces: BTreeSet<String>,
    /// Of the others, only those that fulfil this: `--namespace-selector`.
    #[serde(default)]
    pub namespace_selector: Vec<String>,
    /// Of what is in them, only objects that fulfil this: `--object-selector`.
    #[serde(default)]
    pub object_selector: Vec<String>,
    /// The profile of the pack, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// Namespaces that keep policies from failing closed (`safety`).
    #[serde(default)]
    pub withheld_by: BTreeSet<String>,
    /// Members of a later version.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A state that nobody can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "ConfigMap {NAME}, `{KEY}`: {0}: nothing is registered or mended until it is put right or \
     deleted (then Portcullis registers anew)"
)]
pub struct Unreadable(String);

impl State {
    /// Reads it; a ConfigMap that is not there, or empty, is a first start.
    ///
    /// # Errors
    ///
    /// Text that is no state. It is not replaced: it may have said that the
    /// registration is to stay away.
    pub fn parse(found: Option<&ConfigMap>) -> Result<State, Unreadable> {
        let text = found.and_then(|map| map.data.as_ref()?.get(KEY));
        let Some(text) = text else {
            return Ok(State::default());
        };
        serde_json::from_str(text).map_err(|error| Unreadable(error.to_string()))
    }

    /// The data of the ConfigMap.
    pub fn data(&self) -> BTreeMap<String, String> {
        // Maps with keys of text, lists and text have no way to fail.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        [(KEY.to_owned(), text + "\n")].into()
    }

    /// This profile is in force beside the policies of the cluster, of the
    /// version that runs.
    pub fn say_base(&mut self, profile: Option<&str>, at: &str) {
        let version = env!("CARGO_PKG_VERSION");
        let is_known = match (&self.base, profile) {
            (Some(base), Some(profile)) => base.profile == profile && base.version == version,
            (known, profile) => known.is_none() && profile.is_none(),
        };
        if !is_known {
            self.base = profile.map(|profile| Base {
                profile: profile.to_owned(),
                version: version.to_owned(),
                since: at.to_owned(),
            });
        }
    }

    /// Whether anything stays away.
    pub fn is_paused(&self) -> bool {
        !self.away.is_empty()
    }

    /// Both configurations stay away from now on.
    pub fn take_away(&mut self, how: How, by: &str, at: &str) {
        for kind in Kind::ALL {
            self.registered.remove(&kind);
            let away = Away {
                how,
                by: by.to_owned(),
                at: at.to_owned(),
                other: BTreeMap::new(),
            };
            self.away.insert(kind, away);
        }
    }

    /// Whether this is what was last said.
    pub fn says(&self, kind: &str, message: &str) -> bool {
        let mut known = self.conditions.iter();
        known.any(|known| known.r#type == kind && known.message == message)
    }

    /// Says how something is; `since` is kept while its status is the same.
    pub fn say(&mut self, kind: &str, status: bool, reason: &str, message: &str, now: &str) {
        let known = self.conditions.iter().find(|known| known.r#type == kind);
        let since = known.filter(|known| known.status == status);
        let condition = Condition {
            since: since.map_or(now, |known| &known.since).to_owned(),
            r#type: kind.to_owned(),
            status,
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        self.conditions.retain(|known| known.r#type != kind);
        self.conditions.push(condition);
        self.conditions
            .sort_by(|one, other| one.r#type.cmp(&other.r#type));
    }
}

#[cfg(test)]
mod tests;
