//! What is forgiven for a while, by real kubectl and with the rights of real
//! people.

/// What audits tell of them.
mod audits;
/// The API server is away.
mod outage;
/// Who may write them.
mod roles;
/// Which are refused when they are written.
mod vetting;

use std::time::{Instant, SystemTime};

use portcullis_cluster::{Answer, Installation, Namespace, User};
use serde_json::{Value, json};

use super::{SOON, ask, is_closed, place, tags};
use crate::policies::{Turn, apply, eventually, is_denied};
use crate::support::deployment;

/// So many seconds from now, as manifests say it.
pub(crate) fn from_now(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_secs()).unwrap();
    let at = k8s_openapi::jiff::Timestamp::from_second(now + seconds);
    at.unwrap().to_string()
}

/// From moving tags, for what has the label `app: web`.
fn exemption(name: &str, seconds: i64) -> Value {
    json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "PolicyExemption",
        "metadata": {"name": name},
        "spec": {"policy": "tags", "codes": ["image-latest"],
            "selector": {"labelSelector": {"matchLabels": {"app": "web"}}},
            "reason": "the vendor tags nothing", "expires": from_now(seconds)}})
}

/// The policy `tags` on workloads and on what is made of them, which nothing
/// but an exemption softens.
fn strict(namespace: &Namespace<'_>) -> Value {
    let rule = |group: &str, resources: &[&str]| {
        json!({"apiGroups": [group], "apiVersions": ["*"], "resources": resources,
            "operations": ["CREATE", "UPDATE"]})
    };
    let mut document = tags(namespace);
    document["spec"]["matchConstraints"]["resourceRules"] = json!([
        rule("", &["pods"]),
        rule("apps", &["deployments", "replicasets"])
    ]);
    document["spec"]["inherited"] = json!("Deny");
    document["spec"]["exemptible"] = json!(true);
    document
}

fn in_force(installation: &Installation<'_>, namespace: &Namespace<'_>) {
    apply(&strict(namespace).to_string())
        .ok()
        .expect("a policy");
    let closed = installation.eventually("it fails closed", SOON, is_closed);
    closed.expect("closed");
    eventually("denied", || ask(namespace), is_denied);
}

fn write(namespace: &Namespace<'_>, user: User, document: &Value) -> Answer {
    let apply = ["apply", "-f", "-"];
    namespace
        .kubectl(user, &apply, &document.to_string())
        .unwrap()
}

fn get(namespace: &Namespace<'_>, arguments: &[&str]) -> String {
    let answer = namespace.kubectl(User::Admin, arguments, "").unwrap();
    answer.ok().unwrap()
}

/// Waits for an answer, and says how long that took.
fn soon(what: &str, namespace: &Namespace<'_>, holds: fn(&Answer) -> bool) {
    let since = Instant::now();
    eventually(what, || ask(namespace), holds);
    eprintln!("{what} after {:?}", since.elapsed());
}

fn is_allowed(answer: &Answer) -> bool {
    answer.code == 0 && !answer.stderr.contains("Warning")
}

#[test]
fn a_deployment_and_its_pods_are_let_in_until_the_exemption_is_gone_or_over() {
    let _turn = Turn::take();
    let (mut installation, namespace) = place();
    installation.start(&[&namespace], &["--settle=0s"]).unwrap();
    in_force(&installation, &namespace);

    // Whoever writes the Deployment does not forgive himself.
    let refused = write(&namespace, User::Dev, &exemption("legacy", 3_600));
    assert!(
        refused.stderr.contains("is forbidden") && refused.code != 0,
        "{refused:?}"
    );
    let applied = write(&namespace, User::Admin, &exemption("legacy", 3_600));
    applied.ok().unwrap();
    soon("exempted", &namespace, is_allowed);
    let create = ["create", "-f", "-"];
    let manifest = deployment("web", "nginx:latest");
    let created = namespace.kubectl(User::Dev, &create, &manifest).unwrap();
    created.ok().unwrap();
    let pods = ["get", "pods", "-l", "app=web", "-o", "name"];
    eventually(
        "a Pod",
        || get(&namespace, &pods),
        |pods| pods.starts_with("pod/"),
    );
    let other = deployment("api", "nginx:latest");
    let other = namespace.kubectl(User::Dev, &create, &other).unwrap();
    assert!(is_denied(&other), "it has another label: {other:?}");
    let counted = format!(
        "portcullis_exempted_findings_total{{policy=\"tags\",namespace=\"{}\"}}",
        namespace.name()
    );
    assert!(
        installation.metric(&counted).unwrap()[0] >= 3.0,
        "Deployment, ReplicaSet, Pod"
    );

    // What is asked next is a creation, too.
    get(&namespace, &["delete", "deployment", "web"]);
    let delete = ["delete", "policyexemption", "legacy"];
    get(&namespace, &delete);
    soon("denied", &namespace, is_denied);
    // One that ends by itself: nothing is written any more.
    let short = write(&namespace, User::Admin, &exemption("short", 15));
    short.ok().unwrap();
    soon("exempted again", &namespace, is_allowed);
    soon("denied again", &namespace, is_denied);
    assert!(
        get(&namespace, &["get", "pex"]).contains("short"),
        "it is there all the same"
    );
    installation.check().unwrap();
}
