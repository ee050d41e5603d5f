//! The labels of the namespace that an object is in.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Known, Subject};
use crate::policy::action::NamespaceLabels;

/// The labels of the request's namespace.
pub(super) enum Labels {
    ClusterScoped,
    Known(BTreeMap<String, String>),
    Partly(BTreeMap<String, String>),
}

impl Labels {
    /// What the request, and what was looked up for it, tells of them.
    pub(super) fn of(subject: &Subject<'_>) -> Labels {
        let attributes = subject.attributes;
        let object = match subject.object() {
            Value::Null => subject.old_object(),
            object => object,
        };
        let Some(name) = &attributes.namespace else {
            return Labels::ClusterScoped;
        };
        let source = if attributes.is_namespace() {
            object
        } else {
            subject.namespace
        };
        let labels = source
            .pointer("/metadata/labels")
            .and_then(Value::as_object);
        let mut labels: BTreeMap<String, String> = labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        labels.insert("kubernetes.io/metadata.name".into(), name.clone());
        if attributes.is_namespace() || subject.known == Known::Whole {
            Labels::Known(labels)
        } else {
            Labels::Partly(labels)
        }
    }

    /// As policies match against them.
    pub(super) fn view(&self) -> NamespaceLabels<'_> {
        match self {
            Labels::ClusterScoped => NamespaceLabels::ClusterScoped,
            Labels::Known(labels) => NamespaceLabels::Known(labels),
            Labels::Partly(labels) => NamespaceLabels::Partly(labels),
        }
    }
}
