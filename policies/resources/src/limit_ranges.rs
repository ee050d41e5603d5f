//! What LimitRanges of the namespace fill in.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use portcullis_sdk::lookups::{self, Looked};
use portcullis_sdk::{List, Reads};
use serde::Deserialize;
use serde_json::Value;

use crate::request::{Request, Side};
use crate::settings::Field;

/// What is read of a LimitRange.
#[derive(Debug, Reads, Deserialize)]
pub(crate) struct LimitRange {
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Spec {
    limits: List<Item>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Item {
    r#type: String,
    default: Amounts,
    default_request: Amounts,
    max: Amounts,
    min: Amounts,
}

/// Amounts by resource; how much does not matter.
type Amounts = Option<BTreeMap<String, Value>>;

impl Looked for LimitRange {
    const API_VERSION: &'static str = "v1";
    const KIND: &'static str = "LimitRange";
    const RESOURCE: &'static str = "limitranges";
    const OPTIONAL: bool = true;
}

/// The LimitRanges that matter to a request, looked up when they do.
pub(crate) struct Ranges {
    is_template: bool,
    known: OnceCell<Vec<LimitRange>>,
}

impl Ranges {
    pub(crate) fn of(request: &Request<'_>) -> Ranges {
        Ranges {
            is_template: &*request.kind.kind != "Pod",
            known: OnceCell::new(),
        }
    }

    /// Whether Pods of this template will have the field, though it is not
    /// written.
    pub(crate) fn give(&self, field: Field) -> bool {
        self.is_template && self.known().iter().any(|range| range.gives(field))
    }

    fn known(&self) -> &[LimitRange] {
        self.known
            .get_or_init(|| lookups::here::<LimitRange>().list().unwrap_or_default())
    }
}

impl LimitRange {
    fn gives(&self, field: Field) -> bool {
        let of_containers = |item: &&Item| item.r#type == "Container";
        let mut items = self.spec.limits.iter().filter(of_containers);
        items.any(|item| item.gives(field))
    }
}

impl Item {
    /// As the API server completes it (`SetDefaults_LimitRangeItem`): a
    /// default limit is `max` where there is none, and a default request that
    /// limit, else `min`. Files hold items that are not completed yet.
    fn gives(&self, field: Field) -> bool {
        let (side, resource) = field.place();
        let sources: &[&Amounts] = match side {
            Side::Limits => &[&self.default, &self.max],
            Side::Requests => &[&self.default_request, &self.default, &self.max, &self.min],
        };
        let mut amounts = sources.iter().filter_map(|amounts| amounts.as_ref());
        amounts.any(|amounts| amounts.contains_key(resource))
    }
}
