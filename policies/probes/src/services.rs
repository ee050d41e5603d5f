//! Which Services send traffic to a pod.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use portcullis_sdk::lookups::{self, Looked};
use portcullis_sdk::{Reads, Text};
use serde::Deserialize;

/// What is read of a Service.
#[derive(Debug, Reads, Deserialize)]
pub(crate) struct Service {
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Spec {
    selector: Option<BTreeMap<String, String>>,
}

impl Looked for Service {
    const API_VERSION: &'static str = "v1";
    const KIND: &'static str = "Service";
    const RESOURCE: &'static str = "services";
    const OPTIONAL: bool = true;
}

/// Labels of a pod.
type Labels<'a> = BTreeMap<Text<'a>, Text<'a>>;

/// Whether anything is sent to a pod, looked up when it matters.
pub(crate) struct Traffic<'l> {
    labels: Option<&'l Labels<'l>>,
    is_known: bool,
    may_come: OnceCell<bool>,
}

impl<'l> Traffic<'l> {
    /// Of a pod of these labels, in a namespace of which all is known, or only
    /// what is in some files.
    pub(crate) fn of(labels: Option<&'l Labels<'l>>, is_known: bool) -> Traffic<'l> {
        Traffic {
            labels,
            is_known,
            may_come: OnceCell::new(),
        }
    }

    /// Whether a Service selects the pod, or nobody may know.
    pub(crate) fn may_come(&self) -> bool {
        *self.may_come.get_or_init(|| {
            let Some(services) = lookups::here::<Service>().list() else {
                return true;
            };
            let is_unseen = services.is_empty() && !self.is_known;
            is_unseen || services.iter().any(|service| service.selects(self.labels))
        })
    }
}

impl Service {
    /// A Service without a selector selects nothing: its endpoints are
    /// somebody else's.
    fn selects(&self, labels: Option<&Labels<'_>>) -> bool {
        let selector = self.spec.selector.iter().flatten();
        let mut selector = selector.peekable();
        selector.peek().is_some()
            && selector.all(|(key, value)| {
                let mut labels = labels.into_iter().flatten();
                labels.any(|(known, written)| **known == **key && **written == **value)
            })
    }
}
