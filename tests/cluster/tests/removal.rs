//! However an installation is removed, its registration goes with it, and so
//! does all else of it: with its pods, or with all of them dead.

/// Doing it.
mod ways;

use std::time::{Duration, Instant};

use anyhow::Result;
use portcullis_cluster::{Answer, Installation, Namespace, User};
use serde_json::{Value, json};

use crate::installed::define_reports;
use crate::policies::{Turn, admin, apply, config_map, policy};
use crate::support::{cluster, deployment, seed};
use ways::Way;

/// The promise.
const GONE: Duration = Duration::from_secs(60);
/// For what has no promise: many installations start at once.
const PATIENCE: Duration = Duration::from_secs(120);
const OPTIONS: [&str; 2] = ["--settle=0s", "--resync=1s"];

/// What is removed.
struct Scene {
    // In the order in which they have to go.
    installation: Installation<'static>,
    namespace: Namespace<'static>,
    way: Way,
    /// Whether a replica is alive while it is removed.
    is_alive: bool,
}

/// A policy that fails closed for pods and Deployments, everywhere where it is
/// registered, with its program in a ConfigMap.
fn policy_from(namespace: &Namespace<'_>) -> Value {
    let mut document = policy(namespace, "tags");
    let rule = |group: &str, resource: &str| {
        json!({"apiGroups": [group], "apiVersions": ["*"],
        "resources": [resource], "operations": ["CREATE"]})
    };
    document["spec"]["matchConstraints"] =
        json!({"resourceRules": [rule("apps", "deployments"), rule("", "pods")]});
    document["spec"]["failurePolicy"] = json!("Fail");
    document["spec"]["limits"] = json!({"deadlineMilliseconds": 5_000});
    document["spec"]["program"] = config_map(namespace.name()).1;
    let role = ["create", "role", "program", "--verb=get"];
    let of = ["--resource=configmaps", "--resource-name=tags"];
    let binding = ["create", "rolebinding", "program", "--role=program"];
    let all = ["--group=system:serviceaccounts"];
    for command in [[&role[..], &of].concat(), [&binding[..], &all].concat()] {
        let answer = namespace.kubectl(User::Admin, &command, "");
        answer.expect("kubectl").ok().expect("created");
    }
    document
}

impl Scene {
    fn new(way: Way, is_alive: bool) -> Scene {
        let namespace = cluster().namespace().expect("a namespace");
        let bad = deployment("before", "nginx:latest");
        let created = namespace.kubectl(User::Admin, &["create", "-f", "-"], &bad);
        created.expect("kubectl").ok().expect("created");
        let installation = Installation::new(cluster()).expect("a place");
        way.prepare(&installation);
        Scene {
            installation,
            namespace,
            way,
            is_alive,
        }
    }

    fn name(&self) -> String {
        let pods = if self.is_alive { "alive" } else { "dead" };
        format!("{:?}, pods {pods}", self.way)
    }

    fn start(&mut self) {
        let started = self.installation.start(&[&self.namespace], &OPTIONS);
        started.expect("it starts");
    }

    /// What somebody gets who creates a pod.
    fn ask(&self) -> Answer {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "a", "image": "nginx:latest"}]}});
        let create = ["create", "--dry-run=server", "-f", "-"];
        let answer = self.namespace.kubectl(User::Dev, &create, &pod.to_string());
        answer.expect("kubectl runs")
    }

    fn eventually(&self, what: &str, most: Duration, holds: impl Fn() -> Result<bool>) -> Duration {
        let started = Instant::now();
        while !holds().expect(what) {
            assert!(
                started.elapsed() < most,
                "{}: after {most:?} not yet: {what}: {:?}\n{}",
                self.name(),
                self.rest(),
                self.installation.log()
            );
            std::thread::sleep(Duration::from_millis(500));
        }
        started.elapsed()
    }

    fn is_denied(&self) -> bool {
        self.ask().stderr.contains("[tags/image-latest]")
    }

    /// All that an installation makes is there, but for reports: installations
    /// that share a cluster take them from each other.
    fn complete(&self) {
        self.eventually("it denies", PATIENCE, || Ok(self.is_denied()));
        let kinds = [
            "secret/",
            "configmap/portcullis-state",
            "configmap/portcullis-program",
            "lease.",
            "validatingwebhook",
        ];
        self.eventually("all of it is there", PATIENCE, || {
            let rest = self.rest()?;
            Ok(kinds
                .iter()
                .all(|kind| rest.iter().any(|one| one.starts_with(kind))))
        });
        let is_anchored = || {
            let state = self.installation.state()?;
            let conditions = state["conditions"].as_array().into_iter().flatten();
            let mut anchored = conditions.filter(|one| one["type"] == "Anchored");
            Ok(anchored.any(|one| one["status"] == true))
        };
        self.eventually("it is anchored", PATIENCE, is_anchored);
    }

    /// What is there that the installation has made.
    fn rest(&self) -> Result<Vec<String>> {
        let names = |arguments: &[&str]| {
            let get = [&["get", "-o", "name", "--ignore-not-found"], arguments].concat();
            admin(&get, "").ok()
        };
        let kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations";
        let ours = |name: &&str| name.ends_with(self.installation.name());
        let registered = names(&[kinds])?;
        let home = names(&[
            "secrets,configmaps,leases",
            "-n",
            self.installation.home.name(),
        ])?;
        let made = |name: &&str| name.contains("/portcullis-");
        let reports = names(&["reports.openreports.io", "-n", self.namespace.name()])?;
        let anchor = names(&["clusterrole", &self.installation.anchor()])?;
        let registered = registered.lines().filter(ours);
        let all = registered.chain(home.lines().filter(made));
        let all = all.chain(reports.lines()).chain(anchor.lines());
        Ok(all.map(str::to_owned).collect())
    }

    /// Pods are dead, if they are to be, and then nobody can create one.
    fn kill(&mut self) {
        if self.is_alive {
            return;
        }
        self.installation.kill("replica-0");
        let refused = self.ask();
        assert!(
            refused.stderr.contains("failed calling webhook \"fail."),
            "{}: it fails closed: {refused:?}",
            self.name()
        );
    }

    fn removed(&self) {
        let started = Instant::now();
        self.way.remove(&self.installation);
        let is_free = || {
            let is_registered = |one: &String| one.contains("webhookconfiguration");
            Ok(self.ask().code == 0 && !self.rest()?.iter().any(is_registered))
        };
        self.eventually("pods can be created", GONE, is_free);
        let free = started.elapsed();
        let is_gone = || Ok(self.rest()?.is_empty());
        self.eventually("nothing is left", GONE, is_gone);
        eprintln!(
            "{}: free after {free:?}, nothing left after {:?}",
            self.name(),
            started.elapsed()
        );
    }

    /// Nobody makes anything anew: several passes of a leader.
    fn stays_away(&self) {
        let since = Instant::now();
        while self.is_alive && since.elapsed() < Duration::from_secs(4) {
            assert_eq!(
                self.rest().unwrap(),
                Vec::<String>::new(),
                "{}",
                self.name()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// A new installation, where there was one before.
    fn again(&mut self) {
        self.installation.kill("replica-0");
        self.installation.apply().expect("applied");
        self.start();
        self.complete();
        eprintln!("{}: a new installation denies", self.name());
    }
}

/// Removes an installation, and installs it again where its namespace is
/// still there.
fn through(mut scene: Scene) {
    scene.start();
    scene.complete();
    scene.kill();
    scene.removed();
    scene.stays_away();
    if scene.way == Way::Manifests {
        scene.again();
    }
}

#[test]
fn however_it_is_removed_the_registration_goes_and_nothing_of_it_is_left() {
    let _turn = Turn::take();
    define_reports();
    let programs = cluster().namespace().unwrap();
    let document = policy_from(&programs);
    apply(&document.to_string()).ok().unwrap();
    let seed = seed();
    let ways = [
        (Way::Manifests, true),
        (Way::Manifests, false),
        (Way::Namespace, true),
        (Way::Namespace, false),
        (Way::Prune(seed), true),
        (Way::Prune(seed + 1), false),
        (Way::Argo(seed + 2), false),
    ];
    std::thread::scope(|scope| {
        let all = ways.into_iter();
        let threads: Vec<_> = all
            .map(|(way, is_alive)| scope.spawn(move || through(Scene::new(way, is_alive))))
            .collect();
        let failed = threads
            .into_iter()
            .filter_map(|thread| thread.join().err())
            .count();
        assert_eq!(
            failed, 0,
            "ways in which something was left (PORTCULLIS_SEED={seed})"
        );
    });
    // What is the users' stays.
    let kept = admin(&["get", "wasmpolicy", "tags", "-o", "name"], "")
        .ok()
        .unwrap();
    assert_eq!(kept.trim(), "wasmpolicy.portcullis.dev/tags");
}

/// An anchor that is replaced under a leader that goes on: what the garbage
/// collector took was no break-glass.
#[test]
fn an_anchor_that_is_made_anew_owns_what_is_there_and_nothing_stays_away() {
    let _turn = Turn::take();
    define_reports();
    let programs = cluster().namespace().unwrap();
    apply(&policy_from(&programs).to_string()).ok().unwrap();
    let mut scene = Scene::new(Way::Anchor, true);
    scene.start();
    scene.complete();
    scene.way.remove(&scene.installation);
    scene.installation.apply().unwrap();
    let uid = || {
        let anchor = scene
            .installation
            .get(&format!("clusterrole/{}", scene.installation.anchor()))?;
        anyhow::Ok(anchor["metadata"]["uid"].clone())
    };
    let is_owned = |object: &Value, uid: &Value| {
        let owners = object["metadata"]["ownerReferences"].as_array();
        owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == *uid))
    };
    let is_mended = || {
        let uid = uid()?;
        let mut objects = scene.installation.configurations()?.to_vec();
        for object in [
            "secret/portcullis-certificates",
            "configmap/portcullis-state",
            "lease/portcullis-leader",
        ] {
            objects.push(scene.installation.get(object)?);
        }
        Ok(objects.iter().all(|object| is_owned(object, &uid)) && scene.is_denied())
    };
    let took = scene.eventually("all of it has the new owner", GONE, is_mended);
    eprintln!("all of it has the new owner after {took:?}");
    let state = scene.installation.state().unwrap();
    assert_eq!(state["away"], json!({}), "{state:#}");

    let is_reported = || Ok(scene.rest()?.iter().any(|one| one.starts_with("report")));
    scene.eventually("a report is there", PATIENCE, is_reported);
    scene.removed();
    scene.stays_away();
}
