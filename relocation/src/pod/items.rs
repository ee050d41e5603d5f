//! `items` of a ConfigMap volume: which key is at which path in the end.

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
    let path = |item: &Value| form::text(item, "path").to_owned();
    let twice = |item: &&Value| items.iter().filter(|one| path(one) == path(item)).count() > 1;
    let missing = items
        .iter()
        .filter(|item| twice(item))
        .find(|item| !has(item));
    if let Some(item) = missing.filter(|_| !is_optional) {
        return Err(Refusal::Ambiguous {
            pointer: pointer.to_owned(),
            path: path(item),
            key: form::text(item, "key").to_owned(),
            config_map: config_map.0.to_owned(),
        });
    }
    let wins = |index: usize| {
        let later = || {
            items[index + 1..]
                .iter()
                .filter(|one| path(one) == path(items[index]))
        };
        let earlier = || {
            items[..index]
                .iter()
                .filter(|one| path(one) == path(items[index]))
        };
        match has(items[index]) {
            true => !later().any(|item| has(item)),
            // None is there: any would do.
            false => later().next().is_none() && !earlier().any(|item| has(item)),
        }
    };
    let winners = (0..items.len()).filter(|index| wins(*index));
    Ok(winners.map(|index| items[index]).collect())
}
