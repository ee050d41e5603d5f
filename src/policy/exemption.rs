//! The resource `PolicyExemption`, and its one parser: what somebody may do for
//! a while although a policy denies it.
//!
//! It lies in the namespace that it speaks of, and says nothing of any other.
//! Who may write one decides, by RBAC, who may grant it; nothing on the object
//! that is judged does.

pub mod book;
pub mod selector;
pub mod standing;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spec::{API_VERSION, Error, fault_of};
pub use selector::Selector;

/// The kind of [`Exemption`].
pub const KIND: &str = "PolicyExemption";

/// An exemption is for a year at most, counted from now whenever it is asked:
/// one that ends later is not in force. What should hold for ever is a setting
/// of the policy, which its owner reads.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A `PolicyExemption` document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// `metadata.namespace`; `default` where none is written.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`, where a cluster gave one.
    pub uid: Option<String>,
    /// `spec`.
    pub spec: Spec,
    /// Where it was read; None for one of a cluster.
    pub origin: Option<Origin>,
}

/// Where in files a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: String,
    /// Index of the document, from 0.
    pub document: usize,
    /// Index in a List, from 0.
    pub item: Option<usize>,
    /// Where it begins: line and column, from 1.
    pub position: (u32, u32),
}

/// What is forgiven to whom, why and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The name of the WasmPolicy, which has to be `exemptible`.
    pub policy: String,
    /// The codes that are forgiven, each by its name: a code that a later
    /// version of the policy adds is not forgiven by an exemption of today.
    pub codes: BTreeSet<String>,
    /// To which objects of the namespace; an empty one selects all of them.
    pub selector: Selector,
    /// Why, for whoever reads it later.
    pub reason: String,
    /// Until when, at most 366 days from now.
    pub expires: Expires,
}

/// A moment, as it was written (RFC 3339).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expires {
    text: String,
    at: Timestamp,
}

/// A text is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no date and time: write one of RFC 3339, as in `2027-01-31T00:00:00Z`")]
pub struct NoMoment(String);

impl Expires {
    /// The moment.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

impl FromStr for Expires {
    type Err = NoMoment;

    /// More than RFC 3339 is readable (a space instead of the `T`, the name of
    /// a zone), and the API server refuses it.
    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let is_plain = text.as_bytes().get(10) == Some(&b'T') && !text.contains('[');
        match text.parse() {
            Ok(at) if is_plain => Ok(Expires {
                text: text.to_owned(),
                at,
            }),
            _ => Err(NoMoment(text.chars().take(64).collect())),
        }
    }
}

impl TryFrom<String> for Expires {
    type Error = NoMoment;

    fn try_from(text: String) -> Result<Self, NoMoment> {
        text.parse()
    }
}

impl From<Expires> for String {
    fn from(expires: Expires) -> String {
        expires.text
    }
}

impl fmt::Display for Expires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for Expires {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expires".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

#[derive(Deserialize)]
struct Document {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
    uid: Option<String>,
}

/// Whether a document says that it is one.
pub fn is_one(document: &Value) -> bool {
    document.get("apiVersion").and_then(Value::as_str) == Some(API_VERSION)
        && document.get("kind").and_then(Value::as_str) == Some(KIND)
}

impl Exemption {
    /// Reads a document of which [`is_one`] holds.
    ///
    /// # Errors
    ///
    /// The first member that is wrong, with its place and what is allowed.
    pub fn parse(document: &Value) -> Result<Exemption, Error> {
        let Document { metadata, spec } =
            serde_path_to_error::deserialize(document).map_err(|fault| fault_of(&fault))?;
        spec.validate()?;
        let namespace = metadata.namespace.filter(|name| !name.is_empty());
        Ok(Exemption {
            namespace: namespace.unwrap_or_else(|| "default".to_owned()),
            name: metadata.name,
            uid: metadata.uid,
            spec,
            origin: None,
        })
    }

    /// Whether it is about this code of this policy, whatever the time.
    pub fn is_about(&self, policy: &str, code: &str) -> bool {
        self.spec.policy == policy && self.spec.codes.contains(code)
    }

    /// Whether its time has begun and not ended.
    pub fn is_current(&self, now: Timestamp) -> bool {
        let ends = self.spec.expires.at();
        now < ends && ends.duration_since(now) <= LONGEST
    }

    /// `shop/legacy-web`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Spec {
    /// What the types cannot say.
    fn validate(&self) -> Result<(), Error> {
        let refuse = |member: &str, problem: &str| {
            Err(Error {
                pointer: format!("/spec/{member}"),
                problem: problem.to_owned(),
            })
        };
        if self.policy.is_empty() {
            return refuse("policy", "is empty: write the name of a WasmPolicy");
        }
        if self.codes.is_empty() {
            return refuse("codes", NO_CODE);
        }
        if self.codes.contains("*") {
            return refuse("codes", ANY_CODE);
        }
        if self.reason.trim().is_empty() {
            return refuse("reason", NO_REASON);
        }
        self.selector.validate("/spec/selector")
    }
}

const NO_CODE: &str = "is empty, so that nothing would be forgiven: write the codes, as \
                           denials show them behind the policy's name";
/// Said by the parser, and by the definition of the kind.
pub const ANY_CODE: &str = "`*` would forgive what the policy does not find yet: write each code";
/// The same.
pub const NO_REASON: &str = "is empty: write why this is forgiven, for whoever reads it later";

#[cfg(test)]
mod tests;
