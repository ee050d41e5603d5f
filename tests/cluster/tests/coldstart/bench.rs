use std::time::{Duration, Instant};

use portcullis_cluster::{Answer, Cluster, User};
use serde_json::{Value, json};

/// The namespace of a network plugin, and its name.
pub(super) const CNI: &str = "cni-stand-in";
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// kubectl as an administrator: what it prints.
pub(super) fn admin(cluster: &Cluster, arguments: &[&str]) -> String {
    let answer = cluster.kubectl(User::Admin, arguments, "");
    let answer = answer.and_then(Answer::ok);
    answer.unwrap_or_else(|error| panic!("{arguments:?}: {error:#}"))
}

/// What a `get -o json` gives.
pub(super) fn read(cluster: &Cluster, arguments: &[&str]) -> Value {
    serde_json::from_str(&admin(cluster, arguments)).expect("JSON")
}

pub(super) fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether pods that do not put up with it are kept from the node.
pub(super) fn is_tainted(cluster: &Cluster) -> bool {
    let node = read(cluster, &["get", "node", "node-1", "-o", "json"]);
    let mut taints = node["spec"]["taints"].as_array().into_iter().flatten();
    taints.any(|taint| {
        let key = taint["key"].as_str().unwrap_or_default();
        key == "node.kubernetes.io/not-ready" || key == "node.kubernetes.io/unreachable"
    })
}

/// Something that has one pod.
pub(super) struct Workload {
    pub(super) namespace: String,
    pub(super) name: String,
    manifest: Value,
}

impl Workload {
    fn new(namespace: &str, name: &str, kind: &str, pod: &Value) -> Workload {
        let labels = json!({"app": name});
        Workload {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            manifest: json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
                "spec": {"selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod}}}),
        }
    }

    /// Of pods that the profile `strict` denies.
    pub(super) fn daemon_set(namespace: &str, name: &str) -> Workload {
        let pod = json!({"containers": [{"name": "a", "image": "nginx:latest"}]});
        Workload::new(namespace, name, "DaemonSet", &pod)
    }

    /// Of pods that the profile `strict` denies.
    pub(super) fn deployment(namespace: &str, name: &str) -> Workload {
        let pod = json!({"containers": [{"name": "a", "image": "nginx:latest"}]});
        Workload::new(namespace, name, "Deployment", &pod)
    }

    /// A network plugin, as they are installed.
    pub(super) fn network() -> Workload {
        let pod = json!({
            "hostNetwork": true,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "cni", "image": "registry.example/cni:latest"}],
            "volumes": [{"name": "conf", "hostPath": {"path": "/etc/cni/net.d"}}],
        });
        Workload::new(CNI, CNI, "DaemonSet", &pod)
    }

    pub(super) fn apply(&self, cluster: &Cluster) {
        let apply = ["apply", "-n", &self.namespace, "-f", "-"];
        let applied = cluster.kubectl(User::Admin, &apply, &self.manifest.to_string());
        applied.and_then(Answer::ok).expect("it is made");
    }

    /// [`Workload::apply`], and [`Workload::running`].
    pub(super) fn create(&self, cluster: &Cluster) -> String {
        self.apply(cluster);
        self.running(cluster)
    }

    /// The uid of its pod, once that runs.
    pub(super) fn running(&self, cluster: &Cluster) -> String {
        let label = format!("app={}", self.name);
        let list = ["get", "pods", "-n", &self.namespace, "-l", &label];
        let started = Instant::now();
        loop {
            let pods = read(cluster, &[&list[..], &["-o", "json"]].concat());
            let mut items = pods["items"].as_array().into_iter().flatten();
            let running = items.find(|pod| pod["status"]["containerStatuses"][0]["ready"] == true);
            if let Some(uid) = running.and_then(|pod| pod["metadata"]["uid"].as_str()) {
                return uid.to_owned();
            }
            assert!(started.elapsed() < PATIENCE, "{}: {pods:#}", self.name);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn delete_pods(&self, cluster: &Cluster) {
        let label = format!("app={}", self.name);
        let delete = ["delete", "pods", "-n", &self.namespace, "-l", &label];
        admin(
            cluster,
            &[&delete[..], &["--force", "--grace-period=0"]].concat(),
        );
    }
}

/// The cluster as it is after a power cut of some minutes: the node is given
/// up, its pods are gone, nothing runs. Then it is switched on.
pub(super) fn cold(cluster: &Cluster, workloads: &[Workload]) {
    cluster.end("node");
    let unknown = json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}});
    let unknown = unknown.to_string();
    let give_up = ["patch", "node", "node-1", "--subresource=status"];
    admin(cluster, &[&give_up[..], &["-p", &unknown]].concat());
    wait_for("the node is given up", || is_tainted(cluster));
    // From here on nobody makes pods.
    cluster.end("kube-controller-manager");
    admin(cluster, &["delete", "csinode", "node-1"]);
    for workload in workloads {
        workload.delete_pods(cluster);
    }
    cluster.stop();
    cluster.boot().expect("it comes up");
}
