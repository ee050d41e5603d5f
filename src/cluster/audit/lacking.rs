//! What is found only where nothing in the cluster makes up for it: what that
//! could be is listed once everything is judged.

use std::collections::BTreeSet;

use serde_json::Value;

use super::kinds::Kind;
use super::lists::{Lists, Problem};
use super::walk;
use crate::finding::{Failure, Finding};
use crate::policy::effect::hanging::Lacking;
use crate::policy::kinds::group_version;

/// The findings that count, each with the object that would mend it and the uid
/// of what it was found of; and what could not be listed.
pub(super) async fn settle(
    lists: &mut Lists,
    mut lacking: Vec<(Finding, String, Lacking)>,
    served: &BTreeSet<(String, String)>,
) -> (Vec<(Finding, String)>, Vec<Failure>) {
    let looks_at = lacking.iter().flat_map(|(.., one)| one.looks_at());
    let resources: BTreeSet<(String, String)> = looks_at
        .map(|one| (one.api_version.clone(), one.resource.clone()))
        // A kind that the cluster does not have has no objects.
        .filter(|resource| served.contains(resource))
        .collect();
    let mut failures = Vec::new();
    for (api_version, plural) in resources {
        let kind = kind(&api_version, &plural);
        let mut see = |object: Value| {
            let namespace = object
                .pointer("/metadata/namespace")
                .and_then(Value::as_str);
            let namespace = namespace.unwrap_or_default();
            for (.., one) in &mut lacking {
                one.see((&kind.group, &plural), namespace, &object);
            }
        };
        match walk::each(lists, &kind.path(None), &mut see).await {
            Ok(()) | Err(Problem::NotFound) => {}
            Err(problem) => {
                let hangs = |one: &Lacking| one.looks_at().any(|at| at.resource == plural);
                lacking.retain(|(.., one)| !hangs(one));
                failures.push(unlisted(&kind, &problem));
            }
        }
    }
    lacking.retain(|(.., one)| one.counts());
    let found = lacking.into_iter().map(|(finding, uid, one)| {
        let creates = one.creates();
        (Finding { creates, ..finding }, uid)
    });
    (found.collect(), failures)
}

fn kind(api_version: &str, plural: &str) -> Kind {
    let (group, version) = group_version(api_version);
    Kind {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        kind: String::new(),
        namespaced: true,
        namespaces: None,
    }
}

fn unlisted(kind: &Kind, problem: &Problem) -> Failure {
    let resource = kind.resource();
    let remedy = match problem {
        Problem::Forbidden(_) => "grant the right to list it",
        _ => "run the audit again",
    };
    Failure {
        cause: format!(
            "`{resource}` could not be listed, and what hangs on it is not told: {remedy}: {problem}"
        ),
        ..Failure::default()
    }
}
