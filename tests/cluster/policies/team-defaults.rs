//! A policy that wants objects beside those it judges, for tests.

use portcullis_sdk::contract::Effect;
use portcullis_sdk::prelude::*;

/// ## What it does
///
/// Gives each namespace with the label `team` a LimitRange, which is kept as
/// it is, and a ConfigMap, which is the team's once it is there.
///
/// ## Why is this bad?
///
/// It is not.
///
/// ## Examples
///
/// ```yaml
/// kind: Namespace
/// metadata: {name: shop, labels: {team: a}}
/// ```
#[derive(Debug, Page)]
pub struct TeamDefaults;

#[derive(Debug, Reads, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    #[serde(borrow, default)]
    kind: Kind<'a>,
    #[serde(default)]
    object: Object,
    #[serde(default)]
    namespace_object: Object,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Object {
    metadata: Metadata,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Metadata {
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Codes)]
pub enum Code {
    /// Never.
    #[code(info)]
    Nothing,
}

impl Policy for TeamDefaults {
    type Request<'a> = Request<'a>;
    type Settings = NoSettings;
    type Code = Code;

    const EFFECTS: &'static [&'static str] = &["configmaps", "limitranges"];

    fn matches() -> MatchConstraints {
        let namespaces = Rule {
            scope: Scope::Cluster,
            ..Rule::writes("", &["namespaces"])
        };
        let pods = Rule {
            operations: vec![Operation::Create],
            scope: Scope::Namespaced,
            ..Rule::writes("", &["pods", "serviceaccounts"])
        };
        MatchConstraints::from_iter([namespaces, pods])
    }

    fn evaluate(request: &Request<'_>, _: &NoSettings, report: &mut Report<Code>) {
        let is_namespace = &*request.kind.kind == "Namespace";
        let namespace = match is_namespace {
            true => &request.object,
            false => &request.namespace_object,
        };
        let labels = namespace.metadata.labels.as_ref();
        let Some(team) = labels.and_then(|labels| labels.get("team")) else {
            return;
        };
        let limits = json!({"apiVersion": "v1", "kind": "LimitRange",
            "metadata": {"name": "team-defaults"},
            "spec": {"limits": [{"type": "PersistentVolumeClaim",
                "max": {"storage": "10Gi"}}]}});
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "team"}, "data": {"team": team}});
        let effect = |kind: &str, object| match is_namespace {
            true => Effect::eventual(kind, object),
            false => Effect::required(kind, object),
        };
        report.effect(effect("limitranges", limits).applied());
        report.effect(effect("configmaps", map));
    }
}

portcullis_sdk::export!(TeamDefaults);
