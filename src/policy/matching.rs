//! Which requests reach a policy, as `ValidatingAdmissionPolicy` defines it.

use std::collections::BTreeMap;

use portcullis_contract::{
    LabelSelector, MatchConstraints, Operation, Rule, Scope, SelectorOperator,
};
use serde_json::Value;

use super::action::NamespaceLabels;
use super::attributes::Attributes;
use super::spec::Error;

/// Whether something is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected {
    /// It is, or may be.
    pub matches: bool,
    /// It hung on a label that is not known here; it then matches.
    pub guessed: bool,
}

impl Selected {
    const YES: Selected = Selected {
        matches: true,
        guessed: false,
    };
    const NO: Selected = Selected {
        matches: false,
        guessed: false,
    };

    fn and(self, other: Selected) -> Selected {
        let matches = self.matches && other.matches;
        Selected {
            matches,
            guessed: matches && (self.guessed || other.guessed),
        }
    }
}

impl From<bool> for Selected {
    fn from(matches: bool) -> Self {
        if matches { Selected::YES } else { Selected::NO }
    }
}

/// Whether a request with these attributes, objects and namespace labels
/// reaches a policy with these constraints.
pub fn matches(
    constraints: &MatchConstraints,
    attributes: &Attributes,
    objects: [&Value; 2],
    labels: NamespaceLabels<'_>,
) -> Selected {
    let any = |rules: &[Rule]| rules.iter().any(|rule| rule_matches(rule, attributes));
    if !any(&constraints.resource_rules) || any(&constraints.exclude_resource_rules) {
        return Selected::NO;
    }
    let namespace = constraints
        .namespace_selector
        .as_ref()
        .map_or(Selected::YES, |selector| {
            selects_namespace(selector, labels)
        });
    let object = constraints.object_selector.as_ref().is_none_or(|selector| {
        objects
            .iter()
            .any(|object| !object.is_null() && selects_object(selector, object))
    });
    namespace.and(object.into())
}

/// Whether any rule of the constraints speaks of `resource` of `group`,
/// whatever the operation and the version.
pub fn mentions(constraints: &MatchConstraints, group: &str, resource: &str) -> bool {
    constraints.resource_rules.iter().any(|rule| {
        has(&rule.api_groups, group)
            && rule
                .resources
                .iter()
                .any(|pattern| resource_matches(pattern, resource, None))
    })
}

fn rule_matches(rule: &Rule, attributes: &Attributes) -> bool {
    let operation = rule
        .operations
        .iter()
        .any(|known| *known == Operation::Any || *known == attributes.operation);
    let subresource = attributes.subresource.as_deref();
    // A Namespace is cluster-scoped although its requests name a namespace.
    let namespaced = attributes.namespace.is_some() && !attributes.is_namespace();
    operation
        && has(&rule.api_groups, &attributes.group)
        && has(&rule.api_versions, &attributes.version)
        && rule
            .resources
            .iter()
            .any(|p| resource_matches(p, &attributes.resource, subresource))
        && match rule.scope {
            Scope::Any => true,
            Scope::Namespaced => namespaced,
            Scope::Cluster => !namespaced,
        }
        && (rule.resource_names.is_empty() || rule.resource_names.contains(&attributes.name))
}

fn has(list: &[String], value: &str) -> bool {
    list.iter().any(|entry| entry == "*" || entry == value)
}

/// `pods`, `pods/status`, `pods/*`, `*`, `*/status`, `*/*`.
fn resource_matches(pattern: &str, resource: &str, subresource: Option<&str>) -> bool {
    let (wanted, wanted_sub) = match pattern.split_once('/') {
        Some((wanted, sub)) => (wanted, Some(sub)),
        None => (pattern, None),
    };
    // `*/*` is everything, subresource or not; `pods/*` subresources alone.
    if pattern == "*/*" {
        return true;
    }
    (wanted == "*" || wanted == resource)
        && match (wanted_sub, subresource) {
            (None, None) => true,
            (Some(wanted), Some(sub)) => wanted == "*" || wanted == sub,
            _ => false,
        }
}

/// Whether `selector` selects a namespace with these labels. Cluster-scoped
/// objects are always selected, as are namespaces whose labels are not known
/// where the answer hangs on one of those.
pub fn selects_namespace(selector: &LabelSelector, labels: NamespaceLabels<'_>) -> Selected {
    match labels {
        NamespaceLabels::ClusterScoped => Selected::YES,
        NamespaceLabels::Known(labels) => selects(selector, |key| Some(labels.get(key))),
        NamespaceLabels::Partly(labels) => selects(selector, |key| labels.get(key).map(Some)),
    }
}

/// Whether `selector` selects something with these labels and no others.
pub fn selects_labels(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    selector.selects(labels)
}

fn selects_object(selector: &LabelSelector, object: &Value) -> bool {
    let labels = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object);
    let labels: BTreeMap<&str, String> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?.to_owned())))
        .collect();
    selects(selector, |key| Some(labels.get(key))).matches
}

/// `label` answers None where it is not known whether the label is there.
fn selects<'l>(
    selector: &LabelSelector,
    label: impl Fn(&str) -> Option<Option<&'l String>>,
) -> Selected {
    const GUESSED: Selected = Selected {
        matches: true,
        guessed: true,
    };
    let mut selected = Selected::YES;
    for (key, value) in &selector.match_labels {
        let one = label(key).map_or(GUESSED, |found| (found == Some(value)).into());
        selected = selected.and(one);
    }
    for requirement in &selector.match_expressions {
        let one = label(&requirement.key).map_or(GUESSED, |found| requirement.holds(found).into());
        selected = selected.and(one);
    }
    selected
}

/// Refuses constraints that could never match or that mean nothing.
///
/// # Errors
///
/// The first member that is wrong, below `pointer`.
pub fn check_constraints(pointer: &str, constraints: &MatchConstraints) -> Result<(), Error> {
    if constraints.resource_rules.is_empty() {
        let problem = "is empty, so that nothing would match: write at least one rule, \
                       or leave `matchConstraints` out for the program's own";
        return Err(fault(format!("{pointer}/resourceRules"), problem));
    }
    let rules = [
        ("resourceRules", &constraints.resource_rules),
        ("excludeResourceRules", &constraints.exclude_resource_rules),
    ];
    for (member, rules) in rules {
        for (index, rule) in rules.iter().enumerate() {
            check_rule(&format!("{pointer}/{member}/{index}"), rule)?;
        }
    }
    let selectors = [
        ("namespaceSelector", &constraints.namespace_selector),
        ("objectSelector", &constraints.object_selector),
    ];
    for (member, selector) in selectors {
        if let Some(selector) = selector {
            check_selector(&format!("{pointer}/{member}"), selector)?;
        }
    }
    Ok(())
}

fn check_rule(pointer: &str, rule: &Rule) -> Result<(), Error> {
    let empty = [
        ("apiGroups", rule.api_groups.is_empty()),
        ("apiVersions", rule.api_versions.is_empty()),
        ("resources", rule.resources.is_empty()),
        ("operations", rule.operations.is_empty()),
    ];
    for (member, is_empty) in empty {
        if is_empty {
            let problem = "is empty, so that the rule never matches: write values, or `*` for any";
            return Err(fault(format!("{pointer}/{member}"), problem));
        }
    }
    for (index, resource) in rule.resources.iter().enumerate() {
        if resource.bytes().any(|b| b.is_ascii_uppercase()) || resource.is_empty() {
            let problem = "resources are plural and lower case, as in `kubectl api-resources`: \
                           `pods`, `deployments`, `pods/ephemeralcontainers`";
            return Err(fault(format!("{pointer}/resources/{index}"), problem));
        }
    }
    Ok(())
}

/// Refuses requirements whose values do not fit their operator.
///
/// # Errors
///
/// The first requirement that is wrong, below `pointer`.
pub fn check_selector(pointer: &str, selector: &LabelSelector) -> Result<(), Error> {
    for (index, requirement) in selector.match_expressions.iter().enumerate() {
        let takes_values = matches!(
            requirement.operator,
            SelectorOperator::In | SelectorOperator::NotIn
        );
        let problem = match (takes_values, requirement.values.is_empty()) {
            (true, true) => "`In` and `NotIn` need at least one value",
            (false, false) => "`Exists` and `DoesNotExist` take no values",
            _ => continue,
        };
        return Err(fault(
            format!("{pointer}/matchExpressions/{index}/values"),
            problem,
        ));
    }
    Ok(())
}

fn fault(pointer: String, problem: &str) -> Error {
    Error {
        pointer,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attributes(operation: Operation, resource: &str, namespace: Option<&str>) -> Attributes {
        let (resource, subresource) = match resource.split_once('/') {
            Some((resource, sub)) => (resource, Some(sub.to_owned())),
            None => (resource, None),
        };
        Attributes {
            operation,
            group: if resource == "deployments" {
                "apps".into()
            } else {
                String::new()
            },
            version: "v1".into(),
            resource: resource.into(),
            subresource,
            kind: String::new(),
            namespace: namespace.map(Into::into),
            name: "n".into(),
            username: String::new(),
            groups: vec![],
            dry_run: false,
            uid: String::new(),
        }
    }

    fn constraints(json: Value) -> MatchConstraints {
        serde_json::from_value(json).expect("constraints")
    }

    fn rule(resources: &[&str]) -> Value {
        json!({"apiGroups": ["*"], "apiVersions": ["*"], "resources": resources,
            "operations": ["*"]})
    }

    fn reaches(constraints: &MatchConstraints, attributes: &Attributes) -> bool {
        let labels = NamespaceLabels::ClusterScoped;
        matches(
            constraints,
            attributes,
            [&Value::Null, &Value::Null],
            labels,
        )
        .matches
    }

    #[test]
    fn resources_and_subresources_match_as_the_api_server_says() {
        for (pattern, resource, expected) in [
            ("pods", "pods", true),
            ("pods", "pods/status", false),
            ("pods/*", "pods", false),
            ("pods/*", "pods/ephemeralcontainers", true),
            ("*", "pods", true),
            ("*", "pods/status", false),
            ("*/status", "pods/status", true),
            ("*/status", "pods", false),
            ("*/*", "pods", true),
            ("*/*", "pods/status", true),
            ("deployments/scale", "deployments/scale", true),
        ] {
            let constraints = constraints(json!({"resourceRules": [rule(&[pattern])]}));
            let attributes = attributes(Operation::Create, resource, Some("d"));
            assert_eq!(
                reaches(&constraints, &attributes),
                expected,
                "{pattern} on {resource}"
            );
        }
    }

    #[test]
    fn exclusions_win() {
        let mut names = rule(&["pods"]);
        names["resourceNames"] = json!(["n"]);
        let constraints =
            constraints(json!({"resourceRules": [rule(&["*"])], "excludeResourceRules": [names]}));
        assert!(!reaches(
            &constraints,
            &attributes(Operation::Create, "pods", Some("d"))
        ));
        assert!(reaches(
            &constraints,
            &attributes(Operation::Create, "services", Some("d"))
        ));
    }

    #[test]
    fn a_namespace_is_cluster_scoped() {
        for (scope, expected) in [("Cluster", true), ("Namespaced", false), ("*", true)] {
            let mut rule = rule(&["namespaces"]);
            rule["scope"] = json!(scope);
            let constraints = constraints(json!({"resourceRules": [rule]}));
            let attributes = attributes(Operation::Create, "namespaces", Some("n"));
            assert_eq!(reaches(&constraints, &attributes), expected, "{scope}");
        }
    }

    #[test]
    fn a_deletion_matches_by_the_old_object() {
        let constraints = constraints(json!({"resourceRules": [rule(&["pods"])],
            "objectSelector": {"matchLabels": {"a": "b"}}}));
        let old = json!({"metadata": {"labels": {"a": "b"}}});
        let attributes = attributes(Operation::Delete, "pods", Some("d"));
        let found = matches(
            &constraints,
            &attributes,
            [&Value::Null, &old],
            NamespaceLabels::ClusterScoped,
        );
        assert!(found.matches);
    }

    #[test]
    fn unknown_labels_match_and_say_so() {
        let selector: LabelSelector = serde_json::from_value(json!({
            "matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev"]}]}))
        .expect("a selector");
        let known = BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), "d".to_owned())]);
        let partly = selects_namespace(&selector, NamespaceLabels::Partly(&known));
        assert_eq!(
            partly,
            Selected {
                matches: true,
                guessed: true
            }
        );
        assert_eq!(
            selects_namespace(&selector, NamespaceLabels::Known(&known)),
            Selected::YES
        );
        let by_name: LabelSelector = serde_json::from_value(
            json!({"matchLabels": {"kubernetes.io/metadata.name": "other"}}),
        )
        .expect("a selector");
        assert_eq!(
            selects_namespace(&by_name, NamespaceLabels::Partly(&known)),
            Selected::NO
        );
    }

    #[test]
    fn constraints_that_match_nothing_are_refused() {
        for (json, place) in [
            (json!({"resourceRules": []}), "m.resourceRules"),
            (
                json!({"resourceRules": [rule(&[])]}),
                "m.resourceRules[0].resources",
            ),
            (
                json!({"resourceRules": [rule(&["Pod"])]}),
                "m.resourceRules[0].resources[0]",
            ),
            (
                json!({"resourceRules": [rule(&["pods"])], "objectSelector":
                    {"matchExpressions": [{"key": "a", "operator": "In"}]}}),
                "m.objectSelector.matchExpressions[0].values",
            ),
        ] {
            let error = check_constraints("/m", &constraints(json)).expect_err("refused");
            assert!(error.to_string().contains(place), "{error}");
        }
    }
}
