//! What a registration is narrowed to, as constraints. Nothing here talks to
//! anyone.

use portcullis_contract::{
    LabelSelector, MatchConstraints, Operation, Rule, Scope, SelectorOperator, SelectorRequirement,
};

/// Anything in namespaces that fulfil `namespaces` and are not `home`, with
/// labels that fulfil `objects`.
pub fn constraints(
    home: &str,
    namespaces: &[SelectorRequirement],
    objects: &[SelectorRequirement],
) -> MatchConstraints {
    let any = || vec!["*".to_owned()];
    let rule = Rule {
        api_groups: any(),
        api_versions: any(),
        resources: any(),
        operations: vec![Operation::Any],
        scope: Scope::Any,
        resource_names: vec![],
    };
    let not_home = SelectorRequirement {
        key: "kubernetes.io/metadata.name".to_owned(),
        operator: SelectorOperator::NotIn,
        values: vec![home.to_owned()],
    };
    let selector = |requirements: Vec<SelectorRequirement>| LabelSelector {
        match_expressions: requirements,
        ..LabelSelector::default()
    };
    MatchConstraints {
        resource_rules: vec![rule],
        namespace_selector: Some(selector([namespaces, &[not_home]].concat())),
        object_selector: (!objects.is_empty()).then(|| selector(objects.to_vec())),
        ..MatchConstraints::default()
    }
}
