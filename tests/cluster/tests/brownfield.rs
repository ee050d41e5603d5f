//! A cluster full of findings, on the day a strict policy is installed.

/// One thing that was there before.
mod before;
/// Twenty of them.
mod workloads;

use std::time::Duration;

use portcullis_cluster::{Answer, Cluster, Namespace, Portcullis, User};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use workloads::workloads;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// A namespace full of them.
struct Shop<'c> {
    namespace: Namespace<'c>,
}

impl<'c> Shop<'c> {
    /// With everything in it that was there before, and running.
    fn new(cluster: &'c Cluster) -> Shop<'c> {
        let namespace = cluster.namespace().unwrap();
        let workloads = workloads();
        assert_eq!(workloads.len(), 20);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": workloads});
        let apply = ["apply", "-f", "-"];
        let applied = namespace.kubectl(User::Dev, &apply, &list.to_string());
        applied.and_then(Answer::ok).unwrap();
        let shop = Shop { namespace };
        shop.is_whole();
        shop
    }

    fn run(&self, user: User, command: &str) -> Answer {
        let arguments: Vec<&str> = command.split(' ').collect();
        self.namespace.kubectl(user, &arguments, "").unwrap()
    }

    fn does(&self, user: User, command: &str) -> String {
        let answer = self.run(user, command).ok();
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Waits until no pod of the workloads that keep any is missing.
    fn is_whole(&self) {
        let list = ["get", "deploy,sts,rs,ds", "-o", "json"];
        let whole = |answer: &Answer| {
            let list: Value = serde_json::from_str(&answer.stdout).unwrap();
            let items = list["items"].as_array().unwrap();
            items.iter().all(is_ready)
        };
        let waited = self.namespace.eventually(User::Dev, &list, PATIENCE, whole);
        drop(waited.unwrap());
    }

    /// Moves the last run of a CronJob of every minute into the past, so that
    /// the controller makes up for it at once.
    fn is_time_for(&self, cronjob: &str) {
        let schedule = r#"{"spec":{"schedule":"*_*_*_*_*"}}"#.replace('_', " ");
        let patch = ["patch", cronjob, "-p", &schedule];
        let patched = self.namespace.kubectl(User::Dev, &patch, "");
        patched.and_then(Answer::ok).unwrap();
        let past = OffsetDateTime::now_utc() - Duration::from_secs(600);
        let past = past.format(&Rfc3339).unwrap();
        self.does(
            User::Admin,
            &format!(
                "patch {cronjob} --subresource=status --type=merge \
                 -p={{\"status\":{{\"lastScheduleTime\":\"{past}\"}}}}"
            ),
        );
    }
}

/// Whether all pods are there, of the newest form.
fn is_ready(workload: &Value) -> bool {
    let status = |name: &str| workload["status"][name].as_u64().unwrap_or_default();
    let (wanted, ready, updated) = match workload["kind"].as_str().unwrap() {
        "DaemonSet" => (
            status("desiredNumberScheduled"),
            status("numberReady"),
            status("updatedNumberScheduled"),
        ),
        kind => {
            let wanted = workload["spec"]["replicas"].as_u64().unwrap();
            let is_old = kind == "ReplicaSet" || wanted == 0;
            let updated = if is_old {
                wanted
            } else {
                status("updatedReplicas")
            };
            (wanted, status("readyReplicas"), updated)
        }
    };
    let seen = workload["metadata"]["generation"].as_u64() == Some(status("observedGeneration"));
    seen && (wanted, wanted) == (ready, updated)
}

/// What people do with what they have.
const DAILY_LIFE: [(User, &str); 18] = [
    (User::Dev, "scale deployment/deployment-0 --replicas=3"),
    (User::Dev, "scale statefulset/statefulset-0 --replicas=2"),
    (User::Dev, "scale replicaset/replicaset-0 --replicas=2"),
    (User::Dev, "autoscale deployment/deployment-3 --max=2"),
    (User::Dev, "rollout restart deployment/deployment-1"),
    (User::Dev, "rollout restart statefulset/statefulset-1"),
    (User::Dev, "rollout restart daemonset/daemonset-1"),
    (User::Dev, "set env deployment/deployment-2 A=b"),
    (User::Dev, "set env statefulset/statefulset-2 A=b"),
    (User::Dev, "set env daemonset/daemonset-0 A=b"),
    (User::Dev, "rollout undo deployment/deployment-2"),
    (User::Dev, "label pod/bare team=blue"),
    (User::Dev, "annotate cronjob/cron-0 team=blue"),
    (
        User::Dev,
        "patch cronjob/cron-0 -p={\"spec\":{\"suspend\":true}}",
    ),
    (
        User::Dev,
        "set image deployment/deployment-4 a=nginx:1.29.1",
    ),
    (User::Dev, "delete job/job"),
    (
        User::Admin,
        "drain node-1 --ignore-daemonsets --force --timeout=60s",
    ),
    (User::Admin, "uncordon node-1"),
];

/// On a cluster of its own: others need their node.
#[test]
fn nothing_that_worked_stops_when_a_strict_policy_is_installed() {
    let cluster = Cluster::start().unwrap();
    let shop = Shop::new(&cluster);
    let portcullis = Portcullis::start(&cluster, &["--profile", "strict"]).unwrap();
    let registration = portcullis.register(&cluster, &[]).unwrap();
    registration.wait(&portcullis, &shop.namespace).unwrap();
    let new = shop.run(User::Dev, "run new --image=nginx:latest");
    assert_eq!(new.code, 1, "what is new is refused: {new:?}");

    for (user, command) in DAILY_LIFE {
        shop.does(user, command);
    }
    shop.is_time_for("cronjob/cron-1");
    let jobs = ["get", "jobs", "-o", "jsonpath={.items[*].status.ready}"];
    // Of the next minute's the pods may have begun already.
    let runs = |answer: &Answer| {
        let mut ready = answer.stdout.split_whitespace();
        ready.any(|ready| ready == "1")
    };
    shop.namespace
        .eventually(User::Dev, &jobs, PATIENCE, runs)
        .unwrap();
    shop.is_whole();
    let failed = "get events --field-selector=reason=FailedCreate -o name";
    assert_eq!(
        shop.does(User::Dev, failed),
        "",
        "no controller was refused"
    );
    let worse = shop.run(
        User::Dev,
        "set image deployment/deployment-5 a=redis:latest",
    );
    assert_eq!(worse.code, 1, "what gets worse is refused: {worse:?}");
    let back = shop.run(User::Dev, "rollout undo deployment/deployment-4");
    assert_eq!(back.code, 1, "what was mended stays mended: {back:?}");
}
