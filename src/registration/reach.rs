//! Which requests the policies of one entry judge, as the API server is told.
//!
//! It is told too much rather than too little: selectors of single policies,
//! exclusions and names of objects stay with the host, which matches again.

use std::collections::BTreeSet;

use portcullis_contract::{MatchConstraints, Operation, Rule};
use serde_json::{Value, json};

use super::never::{NEVER, ROOT_CA};

/// What the policies of one entry judge.
pub(super) struct Reach<'p> {
    constraints: Vec<&'p MatchConstraints>,
}

impl<'p> FromIterator<&'p MatchConstraints> for Reach<'p> {
    fn from_iter<I: IntoIterator<Item = &'p MatchConstraints>>(constraints: I) -> Self {
        Reach {
            constraints: constraints.into_iter().collect(),
        }
    }
}

/// Controllers write states all the time; no state is refused.
const NO_STATUS: (&str, &str) = (
    "no-status",
    r#"!has(request.subResource) || request.subResource != "status""#,
);
/// The API server writes these itself when it starts, and ends after half a
/// minute in which it could not (its hooks `rbac/bootstrap-roles` and
/// `scheduling/bootstrap-system-priority-classes`): with an upgrade there is
/// something to write, and Portcullis, which starts later, must not be waited
/// for.
const OF_THE_API_SERVER: [&str; 5] = [
    "clusterrolebindings",
    "clusterroles",
    "priorityclasses",
    "rolebindings",
    "roles",
];
/// Its own client, and nobody who only calls himself so.
const NOT_API_SERVER: (&str, &str) = (
    "not-the-api-server",
    r#"!(request.userInfo.username == "system:apiserver" && "system:masters" in request.userInfo.groups)"#,
);

impl Reach<'_> {
    /// Whether there is no policy at all.
    pub(super) fn is_empty(&self) -> bool {
        self.constraints.is_empty()
    }

    fn own_rules(&self) -> impl Iterator<Item = &Rule> {
        self.constraints
            .iter()
            .flat_map(|constraints| &constraints.resource_rules)
    }

    /// `rules` of the entry, in the order of the policies: those that differ
    /// in nothing but resources are one.
    pub(super) fn rules(&self) -> Vec<Value> {
        let mut rules: Vec<Rule> = Vec::new();
        for rule in self.own_rules() {
            match rules.iter_mut().find(|known| is_alike(known, rule)) {
                Some(known) => known.resources.extend_from_slice(&rule.resources),
                None => rules.push(rule.clone()),
            }
        }
        rules.iter().map(|rule| json!(registered(rule))).collect()
    }

    /// `matchConditions` of the entry.
    pub(super) fn conditions(&self) -> Vec<Value> {
        let any = |holds: fn(&str) -> bool| {
            self.own_rules()
                .flat_map(|rule| &rule.resources)
                .any(|resource| holds(resource))
        };
        let mut conditions = Vec::new();
        if any(|resource| resource.starts_with('*')) {
            let unnamed = NEVER.iter().filter(|never| !self.names(never.unless));
            conditions.extend(unnamed.map(|never| (never.name, never.expression())));
        }
        if any(|resource| resource.ends_with("/*")) {
            conditions.push((NO_STATUS.0, NO_STATUS.1.to_owned()));
        }
        if any(|resource| resource.starts_with('*') || resource == "configmaps") {
            conditions.push(("no-root-ca", no_root_ca()));
        }
        if any(|resource| resource.starts_with('*') || OF_THE_API_SERVER.contains(&resource)) {
            conditions.push((NOT_API_SERVER.0, NOT_API_SERVER.1.to_owned()));
        }
        let conditions = conditions
            .into_iter()
            .map(|(name, expression)| json!({"name": name, "expression": expression}));
        let asked = self.asked_for();
        let asked = asked.map(|expression| json!({"name": "asked-for", "expression": expression}));
        conditions.chain(asked).collect()
    }

    /// Where all policies with `*` look at some namespaces only: that a
    /// request comes from one of those, or is about a resource that another
    /// policy names. Without it, one such policy would have every write of
    /// the cluster sent here.
    fn asked_for(&self) -> Option<String> {
        let has_star = |constraints: &MatchConstraints| {
            let resources = constraints.resource_rules.iter().flat_map(|r| &r.resources);
            resources
                .into_iter()
                .any(|resource| resource.starts_with('*'))
        };
        let all = self.constraints.iter().copied();
        let (star, others): (Vec<&MatchConstraints>, Vec<_>) = all.partition(|c| has_star(c));
        let named = star.iter().map(|constraints| constraints.namespace_names());
        let named: Vec<BTreeSet<&str>> = named.collect::<Option<_>>()?;
        let named: BTreeSet<&str> = named.into_iter().flatten().collect();
        if named.is_empty() {
            return None;
        }
        let rules = others.iter().flat_map(|other| &other.resource_rules);
        let resources: BTreeSet<(&str, &str)> = rules.flat_map(resources).collect();
        let (any, of_group): (Vec<_>, Vec<_>) =
            resources.into_iter().partition(|(group, _)| *group == "*");
        let any: Vec<&str> = any.into_iter().map(|(_, resource)| resource).collect();
        let of_group: Vec<String> = of_group.iter().map(|(g, r)| format!("{g}/{r}")).collect();
        let mut asked = format!(
            "has(request.namespace) && request.namespace in {}",
            json!(named)
        );
        let full = r#"(request.resource.group + "/" + request.resource.resource)"#;
        for (value, list) in [
            (full, json!(of_group)),
            ("request.resource.resource", json!(any)),
        ] {
            if list != json!([]) {
                asked.push_str(&format!(" || {value} in {list}"));
            }
        }
        Some(asked)
    }

    /// Whether a rule names this very resource: then somebody wants it.
    fn names(&self, (group, resource): (&str, &str)) -> bool {
        self.own_rules().any(|rule| {
            rule.api_groups.iter().any(|g| g == group || g == "*")
                && rule.resources.iter().any(|r| r == resource)
        })
    }
}

fn no_root_ca() -> String {
    format!(
        "!(request.resource.group == \"\" && request.resource.resource == \"configmaps\" \
         && has(request.name) && request.name == \"{ROOT_CA}\")"
    )
}

/// The group and the resource of everything that a rule names.
fn resources(rule: &Rule) -> impl Iterator<Item = (&str, &str)> {
    rule.api_groups.iter().flat_map(|group| {
        let resources = rule.resources.iter();
        resources.map(|resource| {
            let resource = resource.split('/').next().unwrap_or(resource);
            (group.as_str(), resource)
        })
    })
}

/// Whether two rules speak of the same, but for the resources.
fn is_alike(one: &Rule, other: &Rule) -> bool {
    let all_but_resources = |rule: &Rule| Rule {
        resources: vec![],
        resource_names: vec![],
        ..rule.clone()
    };
    all_but_resources(one) == all_but_resources(other)
}

/// A rule as a webhook configuration may have it: without names of objects,
/// and without what its other values cover, which the API server refuses.
fn registered(rule: &Rule) -> Rule {
    Rule {
        api_groups: without_covered(&rule.api_groups),
        api_versions: without_covered(&rule.api_versions),
        resources: without_covered(&rule.resources),
        operations: match rule.operations.contains(&Operation::Any) {
            true => vec![Operation::Any],
            false => distinct(&rule.operations),
        },
        scope: rule.scope,
        resource_names: vec![],
    }
}

fn distinct<T: PartialEq + Clone>(list: &[T]) -> Vec<T> {
    let mut distinct: Vec<T> = Vec::new();
    for entry in list {
        if !distinct.contains(entry) {
            distinct.push(entry.clone());
        }
    }
    distinct
}

fn without_covered(list: &[String]) -> Vec<String> {
    let mut kept = distinct(list);
    kept.retain(|entry| {
        !list
            .iter()
            .any(|other| other != entry && covers(other, entry))
    });
    kept
}

/// Whether `pattern` means all that `other` means: `*` what has no
/// subresource, `pods/*` all subresources of pods, `*/*` everything.
fn covers(pattern: &str, other: &str) -> bool {
    match (pattern.split_once('/'), other.split_once('/')) {
        (None, None) => pattern == "*",
        (Some(("*", "*")), _) => true,
        (Some((resource, sub)), Some((other, other_sub))) => {
            (resource == "*" || resource == other) && (sub == "*" || sub == other_sub)
        }
        _ => false,
    }
}
