//! What policies look up, listed before anything is judged.

use std::collections::BTreeMap;

use portcullis_contract::Lookup;

use super::kinds::Kind;
use super::lists::{Lists, Problem};
use super::walk;
use crate::policy::PolicySet;
use crate::policy::lookup::{Inventory, LookupScope, Unseen, View};

/// Lists what the policies may look up, in these namespaces or in all. What
/// cannot be listed is not known: those who look it up break on it.
pub async fn gather(lists: &mut Lists, set: &PolicySet, namespaces: &[String]) -> Inventory {
    let mut inventory = Inventory::new(set.views());
    for (lookup, is_everywhere) in wanted(set.views()) {
        let kind = kind(&lookup);
        let audited = if is_everywhere { &[] } else { namespaces };
        for place in kind.places(audited) {
            let Some(shelf) = inventory.shelf_mut(&lookup) else {
                break;
            };
            let path = kind.path(place);
            let listed = walk::each(lists, &path, &mut |object| shelf.put(&lookup, object)).await;
            match listed {
                // A kind that the cluster does not have has no objects.
                Ok(()) | Err(Problem::NotFound) => {}
                Err(problem) => inventory.lose(&lookup, unseen(&kind, problem)),
            }
        }
    }
    inventory
}

/// One of the lookups of each kind, and whether any of them sees all of the
/// cluster.
fn wanted<'v>(views: impl Iterator<Item = &'v View>) -> Vec<(Lookup, bool)> {
    let mut wanted: BTreeMap<String, (Lookup, bool)> = BTreeMap::new();
    for view in views {
        let one = wanted.entry(view.lookup.name());
        let (_, is_everywhere) = one.or_insert_with(|| (view.lookup.clone(), false));
        *is_everywhere |= view.granted == Some(LookupScope::Cluster);
    }
    wanted.into_values().collect()
}

fn kind(lookup: &Lookup) -> Kind {
    let version = lookup.api_version.rsplit('/').next();
    Kind {
        group: lookup.group().to_owned(),
        version: version.unwrap_or_default().to_owned(),
        plural: lookup.resource.clone(),
        kind: lookup.kind.clone(),
        namespaced: true,
        namespaces: None,
    }
}

fn unseen(kind: &Kind, problem: Problem) -> Unseen {
    let resource = kind.resource();
    match problem {
        Problem::Forbidden(said) => {
            Unseen::Forbidden(format!("grant the right to list `{resource}` ({said})"))
        }
        problem => Unseen::Unknown(format!("they could not be listed: {problem}")),
    }
}
