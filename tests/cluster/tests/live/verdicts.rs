use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use portcullis_cluster::{Namespace, User, binary};
use serde_json::{Value, json};

use super::{Audit, audit, create};
use crate::policies::{Turn, apply, policy};
use crate::support::{cluster, deployment};

/// A Deployment with Pods, a CronJob, a Pod of nobody, an Ingress without TLS,
/// and one object without a fault.
fn populate(namespace: &Namespace<'_>) {
    create(namespace, &deployment("web", "nginx:latest"));
    let pod = |image: &str| json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": image}]});
    let template = json!({"spec": pod("backup")});
    let objects = [
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "backup"},
            "spec": {"schedule": "0 4 * * *", "jobTemplate": {"spec": {"template": template}}}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"},
            "spec": pod("nginx:latest")}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "open"}, "spec": {"rules": [{"host": "shop.example"}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"ports": [{"port": 80}]}}),
    ];
    for object in objects {
        create(namespace, &object.to_string());
    }
    let pods = ["get", "pods", "-l", "app=web", "-o", "name"];
    let made = |answer: &portcullis_cluster::Answer| !answer.stdout.is_empty();
    let most = Duration::from_secs(60);
    namespace
        .eventually(User::Admin, &pods, most, made)
        .unwrap();
}

/// What `check` says of everything that a namespace holds, as kubectl prints it.
fn check(namespace: &Namespace<'_>) -> Value {
    let kinds = "pods,replicasets,deployments,statefulsets,daemonsets,jobs,cronjobs,ingresses,services,\
        serviceaccounts,roles,rolebindings,configmaps";
    let get = |arguments: &[&str]| {
        let answer = namespace.kubectl(User::Admin, arguments, "");
        answer.unwrap().ok().unwrap()
    };
    let objects = get(&["get", kinds, "-o", "json"]);
    let own = get(&["get", "namespace", namespace.name(), "-o", "json"]);
    let folder = std::env::temp_dir().join(format!("portcullis-live-{}", namespace.name()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("objects.json"), objects).unwrap();
    std::fs::write(folder.join("namespace.json"), own).unwrap();
    let output = Command::new(binary().unwrap())
        .args(["check", "--profile", "strict", "--output", "json"])
        .arg(&folder)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// All that is said of what is in a namespace, but for its place in a file.
fn said(report: &Value, namespace: &str) -> BTreeSet<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|finding| finding["namespace"] == namespace);
    let lines = findings.map(|finding| {
        let mut finding = finding.clone();
        for member in ["file", "document", "item", "line", "column"] {
            finding.as_object_mut().unwrap().remove(member);
        }
        finding.to_string()
    });
    lines.collect()
}

#[test]
fn an_audit_says_what_check_says_of_the_same_objects() {
    let namespace = cluster().namespace().unwrap();
    populate(&namespace);
    let name = namespace.name();
    let audited = audit(&["--profile", "strict", "--namespace", name]);
    assert_eq!(audited.code, 1, "{audited:?}");
    let checked = check(&namespace);
    let (ours, theirs) = (said(&audited.report, name), said(&checked, name));
    assert_eq!(ours, theirs, "left: audit, right: check");
    let findings = audited.findings();
    for line in [
        format!("Deployment {name}/web image-latest"),
        format!("CronJob {name}/backup image-latest"),
        format!("Pod {name}/bare image-latest"),
    ] {
        assert!(findings.contains(&line), "{line}: {findings:?}");
    }
    let of_pods = findings.iter().filter(|line| line.starts_with("Pod "));
    assert!(
        of_pods.into_iter().all(|line| line.contains("/bare ")),
        "{findings:?}"
    );
    assert!(audited.failures().is_empty(), "{audited:?}");
    let first = audited.list("findings")[0];
    for member in ["file", "document", "item", "line", "column"] {
        assert_eq!(first[member], Value::Null, "{member}");
    }
}

#[test]
fn strict_tells_what_starter_would_let_pass() {
    let namespace = cluster().namespace().unwrap();
    populate(&namespace);
    let of = |profile: &str| audit(&["--profile", profile, "--namespace", namespace.name()]);
    let denied = |audit: &Audit| {
        let findings = audit.list("findings").into_iter();
        findings.filter(|one| one["action"] == "deny").count()
    };
    let (starter, strict, observe) = (of("starter"), of("strict"), of("observe"));
    assert!(denied(&strict) > denied(&starter) && denied(&starter) > 0);
    assert_eq!((denied(&observe), observe.code), (0, 0));
}

#[test]
fn people_read_namespace_object_and_place() {
    let namespace = cluster().namespace().unwrap();
    create(&namespace, &deployment("web", "nginx:latest"));
    let name = namespace.name();
    let config = cluster().kubeconfig(User::Admin);
    let run = |output: &str| {
        let done = Command::new(binary().unwrap())
            .args(["audit", "--profile", "starter", "--namespace", name])
            .args(["--output", output, "--context", "admin", "--kubeconfig"])
            .arg(&config)
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let text = run("human");
    let subject = format!(
        "    --> Deployment {name}/web, container `a`, spec.template.spec.containers[0].image\n"
    );
    assert!(text.starts_with(&format!("namespace {name}\n")), "{text}");
    assert!(text.contains(&subject), "{text}");
    assert!(text.contains("passed over (unknown-resource): "), "{text}");
    let sarif: Value = serde_json::from_str(&run("sarif")).unwrap();
    let location = &sarif["runs"][0]["results"][0]["locations"][0];
    let logical = format!("Deployment/{name}/web");
    assert_eq!(
        location["logicalLocations"][0]["fullyQualifiedName"],
        logical
    );
    assert_eq!(location["physicalLocation"], Value::Null);
}

#[test]
fn one_page_an_object_or_all_on_one_is_the_same() {
    let namespace = cluster().namespace().unwrap();
    for number in 0..5 {
        create(
            &namespace,
            &deployment(&format!("web-{number}"), "nginx:latest"),
        );
    }
    let of = |size: &str| {
        let place = ["--profile", "starter", "--namespace", namespace.name()];
        let quick = ["--requests-per-second", "500", "--page-size", size];
        audit(&[&place[..], &quick].concat())
    };
    let (one, all) = (of("1"), of("500"));
    assert_eq!(one.list("findings"), all.list("findings"));
    let found = one.findings();
    let latest = found.iter().filter(|line| line.ends_with(" image-latest"));
    assert_eq!(latest.count(), 5, "{found:?}");
}

#[test]
fn namespaces_are_chosen_and_the_systems_own_are_passed_over() {
    let [one, two, three] = [(); 3].map(|()| cluster().namespace().unwrap());
    for namespace in [&one, &two, &three] {
        create(namespace, &deployment("web", "nginx:latest"));
    }
    let policy = ["--profile", "starter"];
    let both = ["--namespace", one.name(), "-n", two.name()];
    let audited = audit(&[&policy[..], &both].concat());
    let chosen = [one.name(), two.name()].into();
    assert_eq!(audited.namespaces(), chosen);

    let all = audit(&policy);
    let namespaces = all.namespaces();
    for namespace in [&one, &two, &three] {
        assert!(namespaces.contains(namespace.name()), "{namespaces:?}");
    }
    let roles = all.passed_over(
        "rolebindings.rbac.authorization.k8s.io",
        "excluded-namespace",
    );
    assert!(roles.is_some_and(|count| count > 0), "{all:?}");

    let nowhere = audit(&[&policy[..], &["-n", "no-such-namespace"]].concat());
    assert_eq!(nowhere.code, 2);
    assert!(
        nowhere
            .stderr
            .contains("there is no namespace `no-such-namespace`"),
        "{nowhere:?}"
    );
}

#[test]
fn the_policies_of_the_cluster_are_in_force_unless_others_are_named() {
    let _turn = Turn::take();
    let namespace = cluster().namespace().unwrap();
    create(&namespace, &deployment("web", "nginx:latest"));
    let place = ["--namespace", namespace.name()];
    let none = audit(&place);
    assert_eq!(none.code, 2);
    assert!(
        none.stderr.contains("and has none, and no installation in"),
        "{none:?}"
    );

    let document = policy(&namespace, "only-tags");
    apply(&document.to_string()).ok().unwrap();
    let own = audit(&place);
    assert_eq!(own.code, 1, "{own:?}");
    let policies: BTreeSet<_> = own
        .list("findings")
        .iter()
        .map(|one| one["policy"].to_string())
        .collect();
    assert_eq!(policies, ["\"only-tags\"".to_owned()].into());
    let home = audit(&[&place[..], &["--installation", namespace.name()]].concat());
    assert_eq!((home.code, home.findings()), (0, vec![]));
    assert_eq!(
        home.passed_over("deployments.apps", "excluded-namespace"),
        Some(1)
    );
    let named = audit(&[&place[..], &["--profile", "strict"]].concat());
    assert!(named.findings().len() > own.findings().len());
}
