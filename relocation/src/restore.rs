//! The way out: values go back into their ConfigMap.
//!
//! The ConfigMap's stage is set to Audit first, or admission would move them
//! again. Serving Secrets stay for the pods that read them, and follow the
//! ConfigMap's values as long as it is promoted; [`is_unneeded`] says when one may
//! go.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::collection::KEPT_SECONDS;
use crate::config_map::{ConfigMap, Content, Malformed, written};
use crate::copies;
use crate::field::Field;
use crate::held::Held;
use crate::marks;
use crate::promotion::{Input, Problem, resolved};
use crate::sensitive::Sensitive;

/// What the ConfigMap becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Restoration {
    /// The whole ConfigMap, to be written with the resourceVersion that is in it;
    /// after a conflict all is read and planned again. None where nothing is to
    /// be put back.
    pub object: Option<Body>,
    /// Whether the ConfigMap is immutable: it has to be deleted and created. Keep
    /// the object in a safe place before.
    pub recreate: bool,
    /// Placeholders that stay, and why.
    pub problems: Vec<Problem>,
}

/// An object with values in it; its `Debug` shows none.
#[derive(Clone, PartialEq)]
pub struct Body(Value);

impl Body {
    /// The object, for the API server.
    pub fn expose(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(..)")
    }
}

/// How to put the values of a ConfigMap back. What is served stands in for a
/// staged Secret that is gone. With `trusting`, digests are not asked: for when
/// the keys are lost, and somebody has looked at the Secrets.
///
/// # Errors
///
/// No ConfigMap as the API server writes one.
pub fn plan(input: &Input<'_>, trusting: bool) -> Result<Restoration, Malformed> {
    let mut restoration = Restoration {
        object: None,
        recreate: false,
        problems: vec![],
    };
    let Some(object) = input.config_map else {
        return Ok(restoration);
    };
    let config_map = ConfigMap::new(object);
    let mut values = BTreeMap::new();
    let mut former = BTreeMap::new();
    for (field, content) in config_map.contents()? {
        let Content::Placeholder(placeholder) = content else {
            continue;
        };
        let text = placeholder.to_string();
        let value = match resolved(input, &field, &placeholder) {
            Ok(value) => Ok(value),
            Err(problem) => fallback(input, &field, &text, trusting).ok_or(problem),
        };
        match value {
            Err(problem) => restoration.problems.push(problem),
            Ok(value) => {
                former.insert(field.clone(), written(field.half, text.as_bytes()));
                let value = written(field.half, value.expose());
                values.insert(field, value);
            }
        }
    }
    if !values.is_empty() {
        restoration.recreate = config_map.is_immutable();
        let done = restoration.problems.is_empty();
        restoration.object = Some(Body(restored(object, &values, &former, done)));
    }
    Ok(restoration)
}

/// What is served for the same placeholder, or, trusting, what is staged.
fn fallback(input: &Input<'_>, field: &Field, text: &str, trusting: bool) -> Option<Sensitive> {
    let held = input.serving.get(&field.half).filter(|held| held.ours);
    let served = held.and_then(|held| {
        let same = held.placeholders().get(&field.key) == Some(&Some(text.to_owned()));
        held.data.get(&field.key).filter(|_| same)
    });
    let staged = || {
        let name = text.split(':').nth(2)?;
        input.staged.get(name)?.data.get(&field.key)
    };
    served.or_else(|| trusting.then(staged).flatten()).cloned()
}

fn restored(
    object: &Value,
    values: &BTreeMap<Field, String>,
    former: &BTreeMap<Field, String>,
    done: bool,
) -> Value {
    let mut object = object.clone();
    for (field, value) in values {
        object[field.half.member()][&field.key] = value.clone().into();
    }
    let metadata = object["metadata"].as_object_mut();
    if let Some(annotations) = metadata.and_then(|of| of.get_mut("annotations")) {
        for (name, text) in annotations.as_object_mut().into_iter().flatten() {
            copied_back(name, text, values, former);
        }
    }
    let labels = object["metadata"]["labels"].as_object_mut();
    if let Some(labels) = labels.filter(|_| done) {
        Map::remove(labels, marks::MOVED);
    }
    object
}

/// Copies get the value back where they hold the placeholder of it.
fn copied_back(
    name: &str,
    text: &mut Value,
    values: &BTreeMap<Field, String>,
    former: &BTreeMap<Field, String>,
) {
    let Some(held) = text.as_str() else { return };
    let Ok(Some(copy)) = copies::opened(name, held) else {
        return;
    };
    let stands = |field: &Field| copy[field.half.member()][&field.key].as_str();
    let of_copy = values
        .iter()
        .filter(|(field, _)| stands(field) == former.get(field).map(String::as_str))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    if let Ok(Some(new)) = copies::rewritten(name, held, &of_copy) {
        *text = Value::String(new);
    }
}

/// Whether a serving Secret may be deleted (with uid and resourceVersion as
/// preconditions): the ConfigMap holds no placeholder, no pod names the Secret,
/// and nobody has written it for an hour, so that no slow promoter is left who
/// would create it again. Times are the API server's.
pub fn is_unneeded(
    (served, last_written): (&Held, i64),
    config_map: &Value,
    named_by_pods: bool,
    now: i64,
) -> bool {
    let moved = crate::promotion::wanted(config_map).map_or(true, |named| !named.is_empty());
    served.ours && !moved && !named_by_pods && now.saturating_sub(last_written) > KEPT_SECONDS
}

#[cfg(test)]
mod tests;
