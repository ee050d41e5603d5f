//! `items` of a ConfigMap volume: which key is at which path in the end.

use std::collections::HashMap;

use serde_json::Value;

use super::form;
use super::{Known, Refusal};

/// The items that have an effect. A ConfigMap volume may list a path twice, and
/// the last item whose key is there wins; a projected volume may not.
///
/// The choice is that of now: natively a key that appears later would win later.
///
/// # Errors
///
/// [`Refusal::Ambiguous`]: natively, a pod waits for the missing key.
pub(super) fn effective<'a>(
    items: &[&'a Value],
    is_optional: bool,
    config_map: (&str, &Known),
    pointer: &str,
) -> Result<Vec<&'a Value>, Refusal> {
    let has = |item: &Value| config_map.1.has_key(form::text(item, "key"));
    let mut paths: HashMap<&str, Listed> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let listed = paths.entry(form::text(item, "path")).or_default();
        listed.times += 1;
        listed.last = index;
        if has(item) {
            listed.there = Some(index);
        }
    }
    let is_twice = |item: &&&Value| paths[form::text(item, "path")].times > 1;
    let missing = items.iter().filter(is_twice).find(|item| !has(item));
    if let Some(item) = missing.filter(|_| !is_optional) {
        return Err(Refusal::Ambiguous {
            pointer: pointer.to_owned(),
            path: form::text(item, "path").to_owned(),
            key: form::text(item, "key").to_owned(),
            config_map: config_map.0.to_owned(),
        });
    }
    let winners = items.iter().enumerate().filter(|(index, item)| {
        let listed = &paths[form::text(item, "path")];
        // Where none is there any would do.
        listed.there.unwrap_or(listed.last) == *index
    });
    Ok(winners.map(|(_, item)| *item).collect())
}

/// Where a path is listed.
#[derive(Default)]
struct Listed {
    times: usize,
    last: usize,
    /// The last place whose key is there.
    there: Option<usize>,
}
