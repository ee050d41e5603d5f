//! An installation as people have it: policies are resources of the cluster,
//! and what is registered follows them.

use std::time::{Duration, Instant};

use portcullis_cluster::installation::failure_policies;
use portcullis_cluster::{Answer, Installation, Namespace, User};
use serde_json::{Value, json};

use crate::policies::{Turn, admin, apply, eventually, is_denied, policy, shown};
use crate::support::{cluster, deployment};

/// What is forgiven for a while.
mod exemptions;
/// Faults of the API server.
mod faults;
/// Rights of what policies look up.
mod lookups;
/// Replicas that come and go.
mod replicas;
/// What it may do, and what it does.
mod rights;
/// What is there is audited again and again.
mod rounds;
/// What is found to be secret, and is not shown.
mod values;

pub(crate) use exemptions::from_now;
pub(crate) use rounds::define_reports;

/// For anything that takes seconds.
const SOON: Duration = Duration::from_secs(40);

/// A place, and a namespace that is judged.
pub(crate) fn place() -> (Installation<'static>, Namespace<'static>) {
    let installation = Installation::new(cluster()).expect("a place");
    (installation, cluster().namespace().expect("a namespace"))
}

/// The status of a condition of a policy.
fn condition(name: &str, kind: &str) -> String {
    shown(
        name,
        &format!(".status.conditions[?(@.type==\"{kind}\")].status"),
    )
}

fn both_true(name: &str) {
    for kind in ["Loaded", "Registered"] {
        eventually(kind, || condition(name, kind), |status| status == "True");
    }
}

/// What `dev` gets for a Deployment with a moving tag, which is not stored.
fn ask(namespace: &Namespace<'_>) -> Answer {
    let create = ["create", "--dry-run=server", "-f", "-"];
    let manifest = deployment("web", "nginx:latest");
    namespace
        .kubectl(User::Dev, &create, &manifest)
        .expect("kubectl runs")
}

/// Whether an entry that fails closed is there.
fn is_closed(installation: &Installation<'_>) -> anyhow::Result<bool> {
    let [validating, _] = installation.configurations()?;
    let closed = ("fail.validate.portcullis.dev".into(), "Fail".into());
    Ok(failure_policies(&validating).contains(&closed))
}

/// How many entries judge anything but policies.
fn entries(installation: &Installation<'_>) -> anyhow::Result<usize> {
    let both = installation.configurations()?;
    let all = both.iter().flat_map(failure_policies);
    Ok(all
        .filter(|(name, _)| name != "policies.portcullis.dev")
        .count())
}

/// The policy `tags`, which hangs on no labels and fails closed.
fn tags(namespace: &Namespace<'_>) -> Value {
    let mut document = policy(namespace, "tags");
    document["spec"]["failurePolicy"] = json!("Fail");
    // A machine that does much else besides must not be what fails a write.
    document["spec"]["limits"] = json!({"deadlineMilliseconds": 2_000});
    let constraints = document["spec"]["matchConstraints"].as_object_mut();
    constraints
        .expect("constraints")
        .remove("namespaceSelector");
    document
}

/// The policy `tags` is there, in force, registered, and fails closed.
pub(crate) fn in_force(installation: &Installation<'_>, namespace: &Namespace<'_>) {
    let document = tags(namespace);
    apply(&document.to_string()).ok().expect("a policy");
    installation
        .eventually("it fails closed", SOON, is_closed)
        .expect("closed");
    eventually("denied", || ask(namespace), is_denied);
}

#[test]
fn a_policy_that_is_applied_is_registered_and_denies_until_it_is_deleted() {
    let _turn = Turn::take();
    let (mut installation, namespace) = place();
    // Nothing here may wait for a resync.
    let options = ["--settle=0s", "--resync=10m"];
    installation.start(&[&namespace], &options).expect("starts");
    let is_there = |installation: &Installation<'_>| {
        Ok(installation
            .configurations()?
            .iter()
            .all(|one| !one.is_null()))
    };
    installation
        .eventually("registered", SOON, is_there)
        .unwrap();
    assert_eq!(entries(&installation).unwrap(), 0, "no policy is there");
    assert_eq!(ask(&namespace).code, 0);

    let applied = Instant::now();
    in_force(&installation, &namespace);
    eprintln!(
        "denied and closed {:?} after it was applied",
        applied.elapsed()
    );
    both_true("tags");
    let denied = ask(&namespace);
    assert!(
        denied.stderr.contains("fail.validate.portcullis.dev")
            && denied.stderr.contains("nginx:latest"),
        "{denied:?}"
    );

    admin(&["delete", "wasmpolicy", "tags"], "").ok().unwrap();
    let is_gone = |installation: &Installation<'_>| Ok(entries(installation)? == 0);
    let took = installation.eventually("its entry is gone", SOON, is_gone);
    eprintln!("its entry is gone after {:?}", took.unwrap());
    eventually("allowed", || ask(&namespace), |answer| answer.code == 0);
    installation.check().unwrap();
}
