//! `cluster-admin`, `ingress-tls` and `default-namespace` on the corpora
//! against `truth.json`: once with settings that mean what the truth means,
//! without a deviation, and once as they come, each deviation with its reason.

use std::collections::{BTreeMap, BTreeSet};

use crate::corpora::{CORPORA, findings, index, report, text, truth};
use crate::support::root;

/// Corpus, file, document.
type Row = (String, String, u64);

/// Rules of the truth, each with the codes that are the same to us.
const RULES: [(&str, &[&str]); 7] = [
    (
        "cluster-admin",
        &["cluster-admin", "cluster-admin-everyone"],
    ),
    ("default-namespace", &["default-namespace"]),
    ("ingress-host-not-covered", &["ingress-host-not-covered"]),
    (
        "ingress-no-tls",
        &["ingress-no-tls", "ingress-issuer-no-tls"],
    ),
    ("ingressroute-no-tls", &["ingressroute-no-tls"]),
    ("namespace-unset", &["namespace-unset"]),
    ("wildcard-role", &["wildcard-role"]),
];

/// Rows of the truth that the policies pass over as they come: rule, corpus,
/// file, document, and why.
const PASSED: [(&str, &str, &str, u64, &str); 8] = [
    (
        "cluster-admin",
        "pesuga-homelab",
        "clusters/homelab/flux-system/gotk-components.yaml",
        8,
        "Flux applies everything, and is on the list `allow`",
    ),
    (
        "cluster-admin",
        "home-k3s",
        "guest/rbac-owner-cluster-admin.yaml",
        0,
        "a person, the owner of the cluster; `people` judges them",
    ),
    (
        "ingress-no-tls",
        "home-k3s",
        "comfyui/ingress-comfyui.yaml",
        0,
        "Traefik encrypts it: `router.tls` is an annotation of `tlsAnnotations`",
    ),
    (
        "ingress-no-tls",
        "home-k3s",
        "ollama/ingress-ollama-ingress.yaml",
        0,
        "the same",
    ),
    (
        "ingress-no-tls",
        "home-k3s",
        "open-webui/ingress-open-webui-internal.yaml",
        0,
        "the same",
    ),
    (
        "ingress-no-tls",
        "bank-of-anthos",
        "extras/tls-domain-managedcerts/managed-certificates.yaml",
        2,
        "Google's load balancer has a certificate by annotation",
    ),
    (
        "ingress-no-tls",
        "bank-of-anthos",
        "src/frontend/k8s/overlays/production/frontend-ingress.yaml",
        0,
        "the same",
    ),
    (
        "ingressroute-no-tls",
        "pesuga-homelab",
        "production/ai-stack/ollama/ingress.yaml",
        1,
        "it only redirects to HTTPS, on the entry point `web`",
    ),
];

#[test]
fn settings_that_mean_what_the_truth_means_find_the_same() {
    let truth = root().join("tests/data/truth");
    let own = ["cluster-admin", "ingress-tls"].map(|name| truth.join(name).display().to_string());
    let pack = root().join("pack/strict/default-namespace.yaml");
    let pack = pack.display().to_string();
    let mut arguments = vec!["--profile", "none", "--policies", &pack];
    arguments.extend(own.iter().flat_map(|path| ["--policies", path]));
    let found = found(&arguments);
    for (rule, _) in RULES {
        assert_eq!(found[rule], expected(rule), "{rule}");
    }
}

#[test]
fn the_policies_as_they_come_pass_over_what_is_argued_and_nothing_else() {
    let found = found(&[]);
    for (rule, _) in RULES {
        let expected = expected(rule);
        let passed: BTreeSet<Row> = expected.difference(&found[rule]).cloned().collect();
        let argued = PASSED.iter().filter(|entry| entry.0 == rule);
        let argued = argued.map(|(_, corpus, file, document, _)| row(corpus, file, *document));
        assert_eq!(passed, argued.collect(), "{rule}");
        let more: Vec<_> = found[rule].difference(&expected).collect();
        assert!(more.is_empty(), "{rule}: {more:?}");
    }
}

#[test]
fn the_open_api_of_traefik_is_found_where_it_is_and_nowhere_else() {
    let file = "infrastructure/kubernetes/traefik/traefik-deployment.yaml";
    let found = &codes(&[])["traefik-api-insecure"];
    let expected = BTreeSet::from([row("pesuga-homelab", file, 0)]);
    assert_eq!(found, &expected);
}

fn row(corpus: &str, file: &str, document: u64) -> Row {
    (corpus.into(), format!("manifests/{file}"), document)
}

fn expected(rule: &str) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    for corpus in CORPORA {
        for found in truth(corpus, rule) {
            let place = row(corpus, &text(&found, "file"), index(&found, "doc"));
            assert!(rows.insert(place), "twice: {found}");
        }
    }
    rows
}

/// What `check` finds with these arguments, by rule of the truth.
fn found(arguments: &[&str]) -> BTreeMap<&'static str, BTreeSet<Row>> {
    let by_code = codes(arguments);
    let of_rule = |codes: &[&str]| {
        let rows = codes.iter().filter_map(|code| by_code.get(*code));
        rows.flatten().cloned().collect()
    };
    let found: BTreeMap<_, BTreeSet<Row>> = RULES
        .iter()
        .map(|(rule, codes)| (*rule, of_rule(codes)))
        .collect();
    assert!(found.values().any(|rows| !rows.is_empty()));
    found
}

/// Objects by the codes that they have.
fn codes(arguments: &[&str]) -> BTreeMap<String, BTreeSet<Row>> {
    let mut codes: BTreeMap<String, BTreeSet<Row>> = BTreeMap::new();
    for corpus in CORPORA {
        let report = report(corpus, arguments);
        for finding in findings(&report) {
            let document = index(finding, "document");
            let row = (corpus.to_owned(), text(finding, "file"), document);
            codes.entry(text(finding, "code")).or_default().insert(row);
        }
    }
    codes
}
