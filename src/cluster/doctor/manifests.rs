//! What somebody applies: the definition, the rights, the anchor.

use std::collections::BTreeSet;

use serde_json::Value;

use super::seen::{list, text};
use super::{Said, Seen, note, problem};
use crate::cluster::state::State;
use crate::cluster::{anchor, crd};

/// What an installation is granted, as this version has it, among all else
/// that is applied with it.
pub(super) const RIGHTS: &str = include_str!("../../../deploy/install.yaml");
/// The name of the roles of our account there.
pub(super) const ROLES: &str = "portcullis";

/// The definitions of our kinds are there, and those of this version.
pub(super) fn definitions(seen: &Seen) -> Vec<Said> {
    let live = seen.definitions.iter().flatten();
    let both = crd::definitions();
    both.iter()
        .zip(live)
        .filter_map(|(wanted, live)| definition(wanted, live))
        .collect()
}

fn definition(wanted: &Value, live: &Value) -> Option<Said> {
    const REMEDY: &str = "apply what `portcullis crd` of the installed version prints";
    let kind = text(wanted, "/spec/names/kind");
    if live.is_null() {
        return Some(problem(format!("the cluster has no kind {kind}"), REMEDY));
    }
    let schema = "/spec/versions/0/schema";
    let is_same = wanted.pointer(schema) == live.pointer(schema);
    (!is_same).then(|| {
        let version = env!("CARGO_PKG_VERSION");
        problem(
            format!("the definition of {kind} is not that of portcullis {version}"),
            format!("{REMEDY}; or run the doctor of that version"),
        )
    })
}

/// Whether a rule grants all that another one does.
fn grants(rule: &Value, wanted: &Value) -> bool {
    let covers = |member: &str| {
        let granted = list(rule, member);
        let all = granted.iter().any(|one| one == "*");
        all || list(wanted, member).iter().all(|one| granted.contains(one))
    };
    let names = list(rule, "/resourceNames");
    let wanted_names = list(wanted, "/resourceNames");
    let fits = names.is_empty()
        || (!wanted_names.is_empty() && wanted_names.iter().all(|one| names.contains(one)));
    covers("/apiGroups")
        && covers("/resources")
        && fits
        && (list(rule, "/verbs").iter().any(|one| one == "*") || covers("/verbs"))
}

/// One right of one rule at a time, since another rule may hold each.
fn single(rule: &Value) -> Vec<Value> {
    let mut all = vec![];
    for resource in list(rule, "/resources") {
        for verb in list(rule, "/verbs") {
            let mut one = rule.clone();
            one["resources"] = vec![resource.clone()].into();
            one["verbs"] = vec![verb.clone()].into();
            all.push(one);
        }
    }
    all
}

/// Where each wanted rule holds, and the rule.
fn wanted(seen: &Seen) -> Vec<(Option<String>, Value)> {
    let (namespace, name) = (&seen.place.namespace, &seen.place.registration);
    let rights = RIGHTS
        .replace(
            "namespace: portcullis\n",
            &format!("namespace: {namespace}\n"),
        )
        .replace("[portcullis]", &format!("[{name}]"))
        .replace("portcullis-installation", &anchor::name(name));
    let documents = rights.split("\n---\n");
    let parsed =
        documents.filter_map(|text| portcullis_manifest::parse_document(text.as_bytes()).ok());
    let roles = parsed.filter(|one| {
        ["ClusterRole", "Role"].contains(&text(one, "/kind"))
            && text(one, "/metadata/name") == ROLES
    });
    let has_profile = has_profile(seen);
    let rules = roles.flat_map(|role| {
        let at = role.pointer("/metadata/namespace").and_then(Value::as_str);
        let at = at.map(str::to_owned);
        let rules = list(&role, "/rules").iter();
        let rules = rules.filter(|rule| has_profile || !is_for_lookups(rule));
        let rules: Vec<Value> = rules.flat_map(single).collect();
        rules.into_iter().map(move |rule| (at.clone(), rule))
    });
    rules.collect()
}

/// Whether policies of the pack are in force by themselves, as far as is known.
fn has_profile(seen: &Seen) -> bool {
    let state = seen.state.as_ref();
    let state = state.and_then(|found| State::parse(found.as_ref()).ok());
    state.is_none_or(|state| state.base.is_some())
}

/// Whether a rule is there for what policies of the profile look up. What
/// other policies miss stands in their status.
fn is_for_lookups(rule: &Value) -> bool {
    let verbs = list(rule, "/verbs");
    let is_ours = list(rule, "/apiGroups").iter().any(|one| one == crd::GROUP);
    !is_ours && verbs == ["list", "watch"]
}

/// The account may do what it has to.
pub(super) fn rights(seen: &Seen) -> Vec<Said> {
    let Some(granted) = &seen.rights else {
        return vec![];
    };
    let is_granted = |at: &Option<String>, right: &Value| {
        let mut here = granted
            .iter()
            .filter(|(place, _)| place.is_none() || place == at);
        here.any(|(_, role)| list(role, "/rules").iter().any(|rule| grants(rule, right)))
    };
    let missing: BTreeSet<String> = wanted(seen)
        .iter()
        .filter(|(at, right)| !is_granted(at, right))
        .map(|(at, right)| {
            let at = at.as_ref().map_or(String::new(), |at| format!(" in {at}"));
            let (verb, resource) = (text(right, "/verbs/0"), text(right, "/resources/0"));
            format!("{verb} {resource}{at}")
        })
        .collect();
    if missing.is_empty() {
        return vec![];
    }
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    let message = format!(
        "the account of {} lacks rights: {}",
        seen.place.namespace,
        missing.join(", ")
    );
    vec![problem(
        message,
        "apply the manifests, or the chart, of the installed version",
    )]
}

/// All hangs on the anchor, and that on the namespace.
pub(super) fn anchor(seen: &Seen) -> Vec<Said> {
    let Some(live) = &seen.anchor else {
        return vec![];
    };
    let name = anchor::name(&seen.place.registration);
    let Ok(metadata) = serde_json::from_value::<kube::api::ObjectMeta>(live["metadata"].clone())
    else {
        let message = format!(
            "ClusterRole {name} is not there: nothing takes the registration away when the \
             installation is removed"
        );
        return vec![problem(
            message,
            "apply the manifests, or the chart, of the installed version",
        )];
    };
    let mut said = vec![];
    let is_ours = |one: &Value| {
        let metadata = serde_json::from_value(one["metadata"].clone());
        metadata.is_ok_and(|metadata| anchor::is_anchored(&name, &metadata))
    };
    if seen.ours().into_iter().flatten().any(|one| !is_ours(one)) {
        said.push(problem(
            format!(
                "a webhook configuration {} is not owned by ClusterRole {name}",
                seen.place.registration
            ),
            "see that a replica leads: it mends that within seconds",
        ));
    }
    let owners = metadata.owner_references.iter().flatten();
    let of_namespace = owners.filter(|one| one.kind == "Namespace").count();
    if of_namespace == 0 && !anchor::is_kept_by_argo(&metadata) {
        said.push(note(
            format!(
                "ClusterRole {name} does not go with namespace {}",
                seen.place.namespace
            ),
            "before you delete the namespace alone, run `portcullis deregister`",
        ));
    }
    said
}
