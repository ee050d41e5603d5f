//! The settings.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_sdk::quantity::{Quantity, Setting};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::request::Side;

mod faults;

/// Quantities by the name of their resource.
pub(crate) type Amounts = BTreeMap<String, Setting>;

/// The settings of `resources`; all of them may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// What every container has to have; `requests.cpu`, `requests.memory`
    /// and `limits.memory` unless set. A limit stands in for its request.
    pub required: BTreeSet<Field>,
    /// Whether init containers need what is `required`, too. Sidecars (init
    /// containers with `restartPolicy: Always`) always do.
    pub init_containers: bool,
    /// The least that a request or a limit may be, by resource: `cpu: 10m`.
    pub min: Amounts,
    /// The most that a request or a limit may be, by resource: `memory: 8Gi`.
    pub max: Amounts,
    /// How many times its request a limit may be, by resource: `memory: 2`.
    pub limit_request_ratio: Amounts,
    /// Requests and limits that are filled in where there are none; nothing
    /// is filled in unless this is set.
    pub defaults: Option<Defaults>,
}

/// A field that may be required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum Field {
    /// The CPU that is reserved.
    #[serde(rename = "requests.cpu")]
    RequestsCpu,
    /// The memory that is reserved.
    #[serde(rename = "requests.memory")]
    RequestsMemory,
    /// The CPU above which the container is slowed down.
    #[serde(rename = "limits.cpu")]
    LimitsCpu,
    /// The memory above which the container is killed.
    #[serde(rename = "limits.memory")]
    LimitsMemory,
}

/// Requests and limits to fill in, by a label of the namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Defaults {
    /// The label of the namespace whose value names the tier: `tier`.
    pub namespace_label: Option<String>,
    /// What to fill in, by the value of that label.
    pub tiers: BTreeMap<String, Tier>,
    /// What to fill in where no tier fits.
    pub otherwise: Option<Tier>,
}

/// Requests and limits to fill in, each where it is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tier {
    /// By resource: `cpu`, `memory` or `ephemeral-storage`.
    pub requests: Amounts,
    /// By resource: `cpu`, `memory` or `ephemeral-storage`.
    pub limits: Amounts,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            required: BTreeSet::from([
                Field::RequestsCpu,
                Field::RequestsMemory,
                Field::LimitsMemory,
            ]),
            init_containers: true,
            min: Amounts::new(),
            max: Amounts::new(),
            limit_request_ratio: Amounts::new(),
            defaults: None,
        }
    }
}

impl Field {
    /// The map it is in, and its key there.
    pub(crate) fn place(self) -> (Side, &'static str) {
        match self {
            Field::RequestsCpu => (Side::Requests, "cpu"),
            Field::RequestsMemory => (Side::Requests, "memory"),
            Field::LimitsCpu => (Side::Limits, "cpu"),
            Field::LimitsMemory => (Side::Limits, "memory"),
        }
    }
}

impl Tier {
    pub(crate) fn side(&self, side: Side) -> &Amounts {
        match side {
            Side::Limits => &self.limits,
            Side::Requests => &self.requests,
        }
    }
}

/// The setting for a resource, and what it amounts to. Settings that are no
/// quantity were refused when they were read.
pub(crate) fn amount<'s>(amounts: &'s Amounts, resource: &str) -> Option<(&'s Setting, Quantity)> {
    let setting = amounts.get(resource)?;
    Some((setting, setting.quantity().ok()?))
}
