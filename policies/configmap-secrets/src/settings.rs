//! The settings.

use std::cell::OnceCell;

use portcullis_sdk::{Fault, Settings as Validate};
use portcullis_secrets::{Confidence, Detector, Options};
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of `configmap-secrets`; all of them may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// What becomes of findings that are sure.
    pub high: Treatment,
    /// What becomes of findings that are likely.
    pub medium: Treatment,
    /// What becomes of findings that are possible.
    pub low: Treatment,
    /// Entries that are not judged. An entry of the list speaks of those that
    /// fit all of its members.
    pub allow: Vec<Allowed>,
    /// Further names of keys under which secrets stand, at the end of a whole
    /// name too: `licence_code` means `APP_LICENCE_CODE` as well.
    pub key_names: Vec<String>,
    /// Further tokens that are told by their looks.
    pub patterns: Vec<Pattern>,
    /// Built when the settings are read, so that no request builds it.
    #[serde(skip)]
    #[schemars(skip)]
    detector: OnceCell<Option<Detector>>,
}

/// What becomes of a finding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Treatment {
    /// It is reported; `validationActions` and `overrides` of the WasmPolicy
    /// say whether that denies, warns or is an audit line.
    #[default]
    Report,
    /// It is passed over.
    Ignore,
}

/// Entries that are not judged. Texts are whole; a `*` stands for any rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Allowed {
    /// Of ConfigMaps in this namespace: `monitoring`, `team-*`.
    pub namespace: Option<String>,
    /// Of ConfigMaps of this name: `grafana-dashboard-*`.
    pub name: Option<String>,
    /// Under this key: `*.lua`, `dashboard.json`.
    pub key: Option<String>,
}

/// A token by its looks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pattern {
    /// What to call it.
    pub name: String,
    /// A regular expression of ASCII text, without look-around:
    /// `acme_[0-9a-f]{32}`.
    pub regex: String,
    /// How sure a match is.
    #[serde(default)]
    pub confidence: Sureness,
}

/// How sure a match is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Sureness {
    /// It may be a secret.
    Low,
    /// It most likely is one.
    Medium,
    /// It is one.
    #[default]
    High,
}

/// What every namespace holds, and nobody put there: certificates only.
const EVERYWHERE: [&str; 3] = [
    "kube-root-ca.crt",
    "openshift-service-ca.crt",
    "istio-ca-root-cert",
];

/// The memory that a detector takes and gives back when it is built, in
/// bytes, so that most requests find it there: a text of 200 KB is read once
/// as the request and once without its escapes.
const ROOM: usize = 1 << 20;

impl Settings {
    pub(crate) fn treats(&self, confidence: Confidence) -> Treatment {
        match confidence {
            Confidence::High => self.high,
            Confidence::Medium => self.medium,
            Confidence::Low => self.low,
        }
    }

    /// Whether a ConfigMap is not judged at all.
    pub(crate) fn passes(&self, namespace: &str, name: &str) -> bool {
        let is_whole = |entry: &&Allowed| entry.key.is_none();
        EVERYWHERE.contains(&name)
            || self
                .allow
                .iter()
                .filter(is_whole)
                .any(|entry| entry.covers(namespace, name, ""))
    }

    /// Whether one of its entries is not judged.
    pub(crate) fn allows(&self, namespace: &str, name: &str, key: &str) -> bool {
        self.allow
            .iter()
            .any(|entry| entry.covers(namespace, name, key))
    }

    /// What finds secrets; None only for settings that were refused.
    pub(crate) fn detector(&self) -> Option<&Detector> {
        let build = || {
            let detector = Detector::new(&self.options()).ok();
            drop(std::hint::black_box(Vec::<u8>::with_capacity(ROOM)));
            detector
        };
        self.detector.get_or_init(build).as_ref()
    }

    fn options(&self) -> Options {
        let pattern = |pattern: &Pattern| portcullis_secrets::Pattern {
            name: pattern.name.clone(),
            regex: pattern.regex.clone(),
            confidence: match pattern.confidence {
                Sureness::Low => Confidence::Low,
                Sureness::Medium => Confidence::Medium,
                Sureness::High => Confidence::High,
            },
        };
        Options {
            patterns: self.patterns.iter().map(pattern).collect(),
            key_names: self.key_names.clone(),
        }
    }
}

impl Allowed {
    fn covers(&self, namespace: &str, name: &str, key: &str) -> bool {
        let fits = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| is_like(wanted, found))
        };
        fits(&self.namespace, namespace) && fits(&self.name, name) && fits(&self.key, key)
    }

    fn members(&self) -> [(&'static str, &Option<String>); 3] {
        [
            ("namespace", &self.namespace),
            ("name", &self.name),
            ("key", &self.key),
        ]
    }
}

/// Whether `text` is `wanted`, whose one `*` stands for any text.
fn is_like(wanted: &str, text: &str) -> bool {
    match wanted.split_once('*') {
        None => wanted == text,
        Some((start, end)) => {
            let rest = text.strip_prefix(start);
            rest.is_some_and(|rest| rest.len() >= end.len() && rest.ends_with(end))
        }
    }
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (index, entry) in self.allow.iter().enumerate() {
            let members = entry.members();
            if members.iter().all(|(_, member)| member.is_none()) {
                let problem = "allows everything: name a `namespace`, a `name` or a `key`";
                faults.push(Fault::new(format!("/allow/{index}"), problem));
            }
            for (name, member) in members {
                let stars = member.as_ref().map(|text| text.matches('*').count());
                if member.as_deref() == Some("") || stars > Some(1) {
                    let problem = "is no text with at most one `*`: write it whole, or `START*`";
                    faults.push(Fault::new(format!("/allow/{index}/{name}"), problem));
                }
            }
        }
        let unusable = Detector::new(&self.options()).err().unwrap_or_default();
        let unusable = unusable.into_iter();
        faults.extend(unusable.map(|fault| Fault::new(fault.path, fault.message)));
        if faults.is_empty() {
            self.detector();
        }
        faults
    }
}
