//! What lookups of a case are answered, for policies that run natively. The
//! host has its own way (`policy::lookup`); every case runs through both.

use serde_json::Value;

use super::Case;
use crate::lookups::{EVERYWHERE, Lookup, Query};
use crate::reads::Reads;
use crate::{LabelSelector, Redaction};

/// The objects of a case, as a policy sees them.
pub struct Answers {
    kinds: Vec<Kind>,
    own_namespace: String,
}

/// The objects of one kind; None where it was not granted.
struct Kind {
    lookup: Lookup,
    reads: Reads,
    objects: Option<Vec<Value>>,
}

impl Answers {
    /// Of a request in this namespace.
    ///
    /// # Panics
    ///
    /// If the reads of a lookup are malformed.
    pub fn of(case: &Case, lookups: &[Lookup], namespace: &Value) -> Answers {
        let kind = |lookup: &Lookup| {
            let is_granted = !case.ungranted().contains(&lookup.name());
            let reads = lookup.reads.iter().map(String::as_str);
            let objects = case.others().iter().filter(|object| is_of(object, lookup));
            Kind {
                reads: Reads::parse(reads).unwrap_or_else(|error| panic!("{error}")),
                objects: is_granted.then(|| objects.cloned().collect()),
                lookup: lookup.clone(),
            }
        };
        Answers {
            kinds: lookups.iter().map(kind).collect(),
            own_namespace: text(namespace, "/metadata/name").to_owned(),
        }
    }

    /// Answers `get` where a name is given, else `list`.
    ///
    /// # Panics
    ///
    /// If the policy asks for what its description does not name.
    pub fn answer(&self, query: &Query) -> Option<String> {
        let kind = self
            .kinds
            .iter()
            .find(|kind| kind.lookup.name() == query.resource);
        let Some(kind) = kind else {
            panic!(
                "the policy looks up `{}`, which `lookups` does not name",
                query.resource
            );
        };
        let mut found: Vec<&Value> = kind.objects.as_ref()?.iter().collect();
        found.retain(|object| self.is_asked_for(object, query));
        found.sort_by_key(|object| (namespace(object), text(object, "/metadata/name")));
        let project = |object: &Value| kind.reads.project_object(object, Redaction::Blank);
        if query.name.is_some() {
            return Some(found.last().map_or("null".into(), |object| project(object)));
        }
        let texts: Vec<String> = found.into_iter().map(project).collect();
        Some(format!("[{}]", texts.join(",")))
    }

    fn is_asked_for(&self, object: &Value, query: &Query) -> bool {
        let is_there = match query.namespace.as_deref() {
            None => namespace(object) == self.own_namespace,
            Some(EVERYWHERE) => true,
            Some(name) => namespace(object) == name,
        };
        let has_name = |name: &String| text(object, "/metadata/name") == name;
        let is_selected = |selector: &LabelSelector| {
            let labels = object.pointer("/metadata/labels").cloned();
            let labels = serde_json::from_value(labels.unwrap_or_default());
            selector.selects(&labels.unwrap_or_default())
        };
        is_there
            && query.name.as_ref().is_none_or(has_name)
            && query.selector.as_ref().is_none_or(is_selected)
    }
}

fn is_of(object: &Value, lookup: &Lookup) -> bool {
    let group = text(object, "/apiVersion").split_once('/');
    let group = group.map_or("", |(group, _)| group);
    group == lookup.group() && text(object, "/kind") == lookup.kind
}

fn namespace(object: &Value) -> &str {
    match text(object, "/metadata/namespace") {
        "" => "default",
        namespace => namespace,
    }
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
