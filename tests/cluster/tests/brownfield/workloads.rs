use serde_json::{Value, json};

/// An image, no probes, no resources: three findings in every kind.
const IMAGE: &str = "nginx:latest";

pub(super) fn template(name: &str, restart: &str) -> Value {
    let containers = json!([{"name": "a", "image": IMAGE}]);
    let spec = json!({"restartPolicy": restart, "containers": containers,
        "terminationGracePeriodSeconds": 1});
    json!({"metadata": {"labels": {"app": name}}, "spec": spec})
}

/// An object of a group whose spec holds a template and a selector.
fn app(kind: &str, name: &str) -> Value {
    let template = template(name, "Always");
    let spec = json!({"selector": {"matchLabels": {"app": name}}, "template": template});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// Twenty workloads, none of which would be let in.
pub(super) fn workloads() -> Vec<Value> {
    let name = |kind: &str, number: usize| format!("{}-{number}", kind.to_lowercase());
    let kinds = [
        ("Deployment", 9),
        ("StatefulSet", 3),
        ("DaemonSet", 2),
        ("ReplicaSet", 2),
    ];
    let mut all: Vec<Value> = kinds
        .iter()
        .flat_map(|(kind, count)| (0..*count).map(|number| app(kind, &name(kind, number))))
        .collect();
    let job = json!({"template": template("job", "Never")});
    all.push(
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}, "spec": job}),
    );
    for number in 0..2 {
        let name = format!("cron-{number}");
        // No test runs on the 29th of February at noon.
        let spec = json!({"schedule": "0 12 29 2 *",
            "jobTemplate": {"spec": {"template": template(&name, "Never")}}});
        let metadata = json!({"name": name});
        all.push(json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}));
    }
    let mut pod = template("bare", "Always");
    pod["metadata"]["name"] = "bare".into();
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    all.push(pod);
    all
}
