//! The chart, as people install it: Helm writes to the API server, pods are
//! scheduled and run by the kubelet, and our executable is started with what
//! the kubelet hands to the container runtime. From then on the tests speak to
//! the API server and to nobody else.

use std::process::Command;
use std::time::{Duration, Instant};

use portcullis_cluster::release::{HOME, Release};
use portcullis_cluster::{Answer, Cluster, Namespace, User, binary};
use serde_json::Value;

use crate::support::deployment;

/// While others write.
mod load;
/// What it lets Portcullis look up.
mod lookups;
/// What is rendered from it.
mod rendered;

/// For a certificate, a registration, and a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn eventually<T: std::fmt::Debug>(
    release: &Release<'_>,
    what: &str,
    mut look: impl FnMut() -> T,
    holds: impl Fn(&T) -> bool,
) -> T {
    let started = Instant::now();
    loop {
        let seen = look();
        if holds(&seen) {
            return seen;
        }
        assert!(
            started.elapsed() < SOON,
            "never: {what}: {seen:?}\n{}",
            release.last_words()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What `dev-user` gets for a Deployment of this image.
fn ask(namespace: &Namespace<'_>, image: &str) -> Answer {
    let create = ["create", "--dry-run=server", "-f", "-"];
    let manifest = deployment("web", image);
    let answer = namespace.kubectl(User::Dev, &create, &manifest);
    answer.expect("kubectl runs")
}

fn is_denied(answer: &Answer) -> bool {
    answer.code != 0 && answer.stderr.contains("image-tags/image-latest")
}

/// Events about a namespace, as its users see them.
fn previews(release: &Release<'_>, namespace: &Namespace<'_>) -> Vec<Value> {
    let list = release.get(&["events.events.k8s.io", "-n", namespace.name()]);
    let list = list.expect("events");
    let items = list["items"].as_array().into_iter().flatten();
    let ours = items.filter(|event| event["reason"] == "WouldDeny");
    ours.cloned().collect()
}

/// What the kubelet was asked for, as it arrived.
fn looks_as_the_chart_says(release: &Release<'_>) {
    for container in release.containers() {
        let has = |argument: &str| container.arguments.iter().any(|one| one == argument);
        assert!(has("--profile=starter"), "{container:?}");
        assert!(has("--audit-profile=strict"), "{container:?}");
        let pod = ("POD_NAME".to_owned(), container.pod.clone());
        assert!(container.environment.contains(&pod), "{container:?}");
        assert!(container.image.ends_with(":0.1.0"), "{container:?}");
    }
}

#[test]
fn helm_installs_it_and_what_is_bad_is_denied_and_what_is_doubtful_warned_of() {
    let cluster = Cluster::start_with_services().unwrap();
    let shop = cluster.namespace_named("shop").unwrap();
    // What is there already goes on, and is told of.
    let legacy = deployment("legacy", "nginx:latest");
    let created = shop.kubectl(User::Dev, &["create", "-f", "-"], &legacy);
    created.unwrap().ok().unwrap();

    let mut release = Release::new(&cluster, &["--drain-delay=0s"]).unwrap();
    let printed = release.helm("install", &["--create-namespace"]).unwrap();
    assert!(printed.contains("STATUS: deployed"), "{printed}");
    release.run(2).unwrap();
    looks_as_the_chart_says(&release);

    let denied = eventually(&release, "denied", || ask(&shop, "nginx:latest"), is_denied);
    assert!(
        denied.stderr.contains("validate.portcullis.dev"),
        "{denied:?}"
    );
    let warned = ask(&shop, "nginx:1.29.1");
    assert_eq!(warned.code, 0, "{warned:?}");
    assert!(
        warned.stderr.contains("Warning:") && warned.stderr.contains("resources/resources-missing"),
        "{warned:?}"
    );

    // One replica leads: as the account of its pod, under the name of its pod.
    let lease = release.get(&["lease", "portcullis-leader", "-n", HOME]);
    let lease = lease.unwrap();
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    let pods: Vec<_> = release.containers().map(|one| one.pod.clone()).collect();
    assert!(
        pods.iter()
            .any(|pod| holder.starts_with(&format!("{pod}_"))),
        "{holder}"
    );

    // And tells on day one what `strict` would mean.
    let told = eventually(
        &release,
        "told of strict",
        || previews(&release, &shop),
        |events| events.iter().any(|event| about(event, "resources")),
    );
    let note = told.iter().find(|event| about(event, "resources")).unwrap();
    let note = note["note"].as_str().unwrap();
    assert!(note.contains("would deny 1 object here"), "{note}");
    assert!(note.contains("Deployment shop/legacy"), "{note}");
    audit_knows_the_profile(&cluster);
    a_policy_takes_the_place_of_the_profiles(&release, &shop);
    one_value_is_another_profile(&mut release, &shop);
    release.check().unwrap();
    with_all_of_them_dead_helm_takes_the_registration_first(&mut release, &shop);
}

/// Nothing of ours has to run for that, and nobody waits for the garbage
/// collector.
fn with_all_of_them_dead_helm_takes_the_registration_first(
    release: &mut Release<'_>,
    shop: &Namespace<'_>,
) {
    release.kill();
    release.helm_of(&["uninstall", HOME]).unwrap();
    let kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations";
    let left = release.get(&[kinds]).unwrap();
    assert!(
        left["items"].as_array().is_none_or(Vec::is_empty),
        "{left:#}"
    );
    assert_eq!(ask(shop, "nginx:latest").code, 0);
    eventually(
        release,
        "nothing is left but the definitions",
        || {
            let kinds = "secrets,configmaps,leases";
            let left = release.get(&[kinds, "-n", HOME]).unwrap();
            let left = left["items"].as_array().cloned().unwrap_or_default();
            let names = left.iter().map(|one| one["metadata"]["name"].clone());
            names.collect::<Vec<_>>()
        },
        // Every namespace has that one.
        |names| names.iter().all(|name| name == "kube-root-ca.crt"),
    );
}

/// `portcullis audit` judges by what is in force, without being told.
fn audit_knows_the_profile(cluster: &Cluster) {
    let config = cluster.kubeconfig(User::Admin);
    let audit = ["audit", "--namespace", "shop", "--kubeconfig"];
    let output = Command::new(binary().unwrap())
        .args(audit)
        .arg(config)
        .output();
    let output = output.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("[image-tags/image-latest]"), "{printed}");
    // Its container names no resources: `starter` warns of it.
    assert!(printed.contains("warned   resources/"), "{printed}");
}

/// It decides while it is there.
fn a_policy_takes_the_place_of_the_profiles(release: &Release<'_>, shop: &Namespace<'_>) {
    let observe = ["-f", "pack/observe/image-tags.yaml"];
    let admin = |command: &str| {
        let done = shop.kubectl(User::Admin, &[&[command][..], &observe].concat(), "");
        done.and_then(Answer::ok).expect("an administrator may");
    };
    admin("apply");
    let latest = || ask(shop, "nginx:latest");
    eventually(release, "allowed", latest, |answer| answer.code == 0);
    admin("delete");
    eventually(release, "denied again", latest, is_denied);
}

fn one_value_is_another_profile(release: &mut Release<'_>, shop: &Namespace<'_>) {
    let strict = ["--wait", "--timeout=60s", "--set", "profile=strict"];
    release.helm("upgrade", &strict).unwrap();
    release.run(2).unwrap();
    let tagged = || ask(shop, "nginx:1.29.1");
    let denied = eventually(release, "strict", tagged, |answer| answer.code != 0);
    assert!(
        denied.stderr.contains("resources/resources-missing"),
        "{denied:?}"
    );
}

fn about(event: &Value, policy: &str) -> bool {
    let note = event["note"].as_str().unwrap_or_default();
    note.contains(&format!("the policy `{policy}`"))
}

#[test]
fn one_kubectl_apply_installs_it_into_an_empty_cluster() {
    let cluster = Cluster::start().unwrap();
    let apply = ["apply", "-f", "deploy/install.yaml"];
    let applied = cluster.kubectl(User::Admin, &apply, "").unwrap();
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""));
    let ready = ["rollout", "status", "deployment/portcullis", "-n", HOME];
    let ready = [&ready[..], &["--timeout=60s"]].concat();
    cluster
        .kubectl(User::Admin, &ready, "")
        .unwrap()
        .ok()
        .unwrap();
    let again = cluster.kubectl(User::Admin, &apply, "").unwrap();
    let again = again.ok().unwrap();
    // kubectl replaces the selector of the budget each time.
    let is_budget = |line: &&str| line.starts_with("poddisruptionbudget.policy/");
    let others = again.lines().filter(|line| !is_budget(line));
    let changed = others.filter(|line| !line.ends_with(" unchanged"));
    assert_eq!(changed.collect::<Vec<_>>(), Vec::<&str>::new());
}
