//! `serve --cluster`: what is registered, when, and what becomes of it.

use std::time::Duration;

use portcullis_cluster::installation::failure_policies;
use portcullis_cluster::{Installation, Namespace, User};

use crate::support::{cluster, deployment};

/// Certificates that somebody else makes.
mod injected;
/// Who writes.
mod leaders;
/// What is edited or deleted.
mod mending;
/// Certificates that go round.
mod rotation;
/// The Secret, in other hands.
mod secret;
/// What is told as an event.
mod told;
/// What must not fail closed.
mod withheld;

/// For anything that takes seconds.
const SOON: Duration = Duration::from_secs(40);
/// Policies that fail closed, one of which fills in.
const STRICT: [&str; 4] = ["--profile", "strict", "--policies", FILLING];
const FILLING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/writes/filling.yaml");

/// Two of the entries that these policies make fail closed.
const CLOSED: [&str; 2] = ["fail.validate.portcullis.dev", "fail.mutate.portcullis.dev"];

fn installed() -> (Installation<'static>, Namespace<'static>) {
    let installation = Installation::new(cluster()).expect("a place");
    (installation, cluster().namespace().expect("a namespace"))
}

/// A replica is there, and everything fails closed as asked.
fn closed(options: &[&str]) -> (Installation<'static>, Namespace<'static>) {
    let (mut installation, namespace) = installed();
    let options = [&STRICT, options].concat();
    installation
        .start(&[&namespace], &options)
        .expect("it starts");
    installation
        .eventually("it fails closed", SOON, is_closed)
        .expect("closed");
    (installation, namespace)
}

fn is_closed(installation: &Installation<'_>) -> anyhow::Result<bool> {
    let both = installation.configurations()?;
    let policies: Vec<_> = both.iter().flat_map(failure_policies).collect();
    Ok(CLOSED
        .iter()
        .all(|name| policies.contains(&((*name).to_owned(), "Fail".to_owned()))))
}

fn is_open(installation: &Installation<'_>) -> anyhow::Result<bool> {
    let both = installation.configurations()?;
    let policies: Vec<_> = both.iter().flat_map(failure_policies).collect();
    Ok(policies.len() >= 3 && policies.iter().all(|(_, policy)| policy == "Ignore"))
}

fn is_away(installation: &Installation<'_>) -> anyhow::Result<bool> {
    Ok(installation
        .configurations()?
        .iter()
        .all(serde_json::Value::is_null))
}

/// What `dev` gets for a Deployment that the profile denies.
fn verdict(namespace: &Namespace<'_>) -> portcullis_cluster::Answer {
    let create = ["create", "--dry-run=server", "-f", "-"];
    let manifest = deployment("web", "nginx:latest");
    namespace
        .kubectl(User::Dev, &create, &manifest)
        .expect("kubectl")
}

#[test]
fn nothing_is_registered_before_the_service_answers_and_nothing_fails_closed_at_first() {
    let (mut installation, namespace) = installed();
    let options = [&STRICT[..], &["--settle=3s"]].concat();
    installation
        .start_apart(&[&namespace], &options)
        .expect("it starts");
    let says_why = |installation: &Installation<'_>| {
        let state = installation.state()?.to_string();
        Ok(state.contains("calling ourselves at https://127.0.0.1:"))
    };
    installation
        .eventually("the state says why", SOON, says_why)
        .expect("a condition");
    assert!(
        is_away(&installation).expect("an answer"),
        "nothing is registered"
    );
    assert_eq!(verdict(&namespace).code, 0);

    installation.balance();
    installation
        .eventually("it is there, open", SOON, is_open)
        .expect("open first");
    let opened = installation.state().expect("a state");
    installation
        .eventually("it fails closed", SOON, is_closed)
        .expect("then closed");
    let denied = verdict(&namespace);
    assert_eq!(denied.code, 1, "{denied:?}");
    assert!(
        denied.stderr.contains("image-tags/image-latest"),
        "{denied:?}"
    );
    assert_ne!(opened, installation.state().expect("a state"));
    let says_so = |installation: &Installation<'_>| {
        let state = installation.state()?;
        let excluded = state["excludedNamespaces"].to_string();
        Ok(
            state["registered"] == serde_json::json!(["validating", "mutating"])
                && excluded.contains("kube-system")
                && excluded.contains(installation.home.name())
                && installation.metric("portcullis_registered")? == [2.0]
                && installation
                    .metric("portcullis_namespace_excluded{namespace=\"kube-system\"}")?
                    == [1.0],
        )
    };
    installation
        .eventually("state and metrics say so", SOON, says_so)
        .expect("visible");
}
