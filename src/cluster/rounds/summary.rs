//! What is made of an audit: counts for metrics, and one report a namespace.
//! Nothing here talks to anyone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::home::MANAGER;
use crate::finding::{Finding, Report};
use crate::policy::action::Action;
use crate::policy::decision::cut;

/// Series of one metric. More are told as one of the namespace `(others)`.
pub(super) const MOST_SERIES: usize = 2_000;
/// Results of one report, the gravest first: etcd takes 1.5 MB an object, and
/// watchers of reports read them whole.
const MOST_RESULTS: usize = 100;
/// The longest message of a result, in bytes.
const MESSAGE: usize = 500;
/// The API of reports (openreports/reports-api).
pub const REPORTS: (&str, &str) = ("openreports.io", "v1alpha1");

/// Policy, code, namespace and action.
pub type Series = (String, String, String, &'static str);

/// How many findings of each; the namespace of cluster-scoped objects is empty.
pub fn counts(report: &Report) -> BTreeMap<Series, i64> {
    let mut counts: BTreeMap<Series, i64> = BTreeMap::new();
    for finding in &report.findings {
        *counts.entry(series(finding)).or_default() += 1;
    }
    if counts.len() <= MOST_SERIES {
        return counts;
    }
    let mut all: Vec<(Series, i64)> = counts.into_iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut kept = BTreeMap::new();
    for (index, ((policy, code, namespace, action), count)) in all.into_iter().enumerate() {
        let namespace = match index < MOST_SERIES {
            true => namespace,
            false => "(others)".to_owned(),
        };
        *kept.entry((policy, code, namespace, action)).or_default() += count;
    }
    kept
}

fn series(finding: &Finding) -> Series {
    let namespace = finding.object.namespace.clone().unwrap_or_default();
    let action = match finding.action {
        Action::Deny => "deny",
        Action::Warn => "warn",
        Action::Audit => "audit",
    };
    (
        finding.policy.clone(),
        finding.code.clone(),
        namespace,
        action,
    )
}

/// One report for each namespace with findings, and one for cluster-scoped
/// objects (None), at `at` (Unix time).
pub fn reports(report: &Report, at: i64) -> BTreeMap<Option<String>, Value> {
    let mut by_namespace: BTreeMap<Option<String>, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        let namespace = finding.object.namespace.clone();
        by_namespace.entry(namespace).or_default().push(finding);
    }
    by_namespace
        .into_iter()
        .map(|(namespace, findings)| {
            let document = document(namespace.as_deref(), findings, at);
            (namespace, document)
        })
        .collect()
}

fn document(namespace: Option<&str>, mut findings: Vec<&Finding>, at: i64) -> Value {
    let exempted = findings
        .iter()
        .filter(|one| one.exemption.is_some())
        .count();
    let count = |wanted: &[Action]| {
        let open = findings.iter().filter(|one| one.exemption.is_none());
        open.filter(|one| wanted.contains(&one.action)).count()
    };
    let summary = json!({"pass": 0, "fail": count(&[Action::Deny]),
        "warn": count(&[Action::Warn, Action::Audit]), "error": 0, "skip": exempted});
    // Stable: those of one action stay in their order.
    findings.sort_by_key(|finding| finding.action);
    let results: Vec<Value> = findings
        .iter()
        .take(MOST_RESULTS)
        .map(|finding| result(finding, at))
        .collect();
    let (group, version) = REPORTS;
    let mut document = json!({
        "apiVersion": format!("{group}/{version}"),
        "kind": if namespace.is_some() { "Report" } else { "ClusterReport" },
        "metadata": {"name": MANAGER, "labels": {"app.kubernetes.io/managed-by": MANAGER}},
        "source": MANAGER,
        "configuration": {"limits": {"maxResults": MOST_RESULTS}},
        "summary": summary,
        "results": results,
    });
    if let Some(namespace) = namespace {
        document["metadata"]["namespace"] = namespace.into();
        document["scope"] = json!({"apiVersion": "v1", "kind": "Namespace", "name": namespace});
    }
    document
}

fn result(finding: &Finding, at: i64) -> Value {
    let (result, severity) = match finding.action {
        Action::Audit if finding.exemption.is_some() => ("skip", "info"),
        Action::Deny => ("fail", "high"),
        Action::Warn => ("warn", "medium"),
        Action::Audit => ("warn", "info"),
    };
    let object = &finding.object;
    let mut resource = json!({"apiVersion": object.api_version, "kind": object.kind,
        "name": object.name});
    if let Some(namespace) = &object.namespace {
        resource["namespace"] = namespace.as_str().into();
    }
    let mut properties = json!({"fingerprint": finding.fingerprint});
    if let Some(container) = &finding.container {
        properties["container"] = container.as_str().into();
    }
    json!({
        "source": MANAGER,
        "policy": finding.policy,
        "rule": finding.code,
        "result": result,
        "severity": severity,
        "scored": finding.action == Action::Deny,
        "timestamp": {"seconds": at, "nanos": 0},
        "message": cut(finding.text(), MESSAGE),
        "resources": [resource],
        "properties": properties,
    })
}

#[cfg(test)]
mod tests {
    use portcullis_contract::Level;

    use super::*;
    use crate::finding::{Identity, Place};

    fn finding(namespace: Option<&str>, name: &str, action: Action) -> Finding {
        Finding {
            policy: "p".into(),
            code: "c".into(),
            level: Level::Error,
            action,
            message: "it is bad".into(),
            remedy: "mend it".into(),
            place: Place::default(),
            object: Identity {
                api_version: "apps/v1".into(),
                kind: "Deployment".into(),
                namespace: namespace.map(Into::into),
                name: name.into(),
            },
            path: "/spec".into(),
            container: Some("a".into()),
            within: None,
            fix: None,
            fingerprint: "f".into(),
            exemption: None,
            excerpt: None,
        }
    }

    fn report(findings: Vec<Finding>) -> Report {
        Report {
            findings,
            ..Report::default()
        }
    }

    #[test]
    fn counts_are_by_policy_code_namespace_and_action() {
        let all = report(vec![
            finding(Some("shop"), "a", Action::Deny),
            finding(Some("shop"), "b", Action::Deny),
            finding(None, "c", Action::Warn),
        ]);
        let series = |namespace: &str, action| ("p".into(), "c".into(), namespace.into(), action);
        let expected = BTreeMap::from([(series("shop", "deny"), 2), (series("", "warn"), 1)]);
        assert_eq!(counts(&all), expected);
    }

    #[test]
    fn there_are_never_more_series_than_a_metric_should_have() {
        let many = (0..3_000).map(|number| {
            let namespace = format!("n{number}");
            finding(Some(&namespace), "a", Action::Deny)
        });
        let counts = counts(&report(many.collect()));
        assert_eq!(counts.len(), MOST_SERIES + 1);
        assert_eq!(counts.values().sum::<i64>(), 3_000);
    }

    #[test]
    fn a_namespace_has_one_report_with_the_gravest_first() {
        let mut findings: Vec<Finding> = (0..150)
            .map(|number| finding(Some("shop"), &format!("w{number}"), Action::Warn))
            .collect();
        findings.push(finding(Some("shop"), "bad", Action::Deny));
        findings.push(finding(None, "cluster", Action::Deny));
        let reports = reports(&report(findings), 7);
        assert_eq!(reports.len(), 2);
        let shop = &reports[&Some("shop".to_owned())];
        assert_eq!(shop["summary"]["fail"], 1);
        assert_eq!(shop["summary"]["warn"], 150);
        let results = shop["results"].as_array().expect("results");
        assert_eq!(results.len(), MOST_RESULTS);
        assert_eq!(results[0]["resources"][0]["name"], "bad");
        assert_eq!(results[0]["message"], "mend it: it is bad");
        assert_eq!(reports[&None]["kind"], "ClusterReport");
    }
}
