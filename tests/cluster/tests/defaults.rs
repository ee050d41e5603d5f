//! A policy that changes objects, behind the real API server.

use portcullis_cluster::User;

use crate::support::{DEFAULTS, Scene, cluster};

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.29.1
          resources: {requests: {memory: 128Mi}}
"#;

/// Where what is asked of a container stands.
const RESOURCES: &str = "jsonpath={.spec.template.spec.containers[0].resources}";

#[test]
fn defaults_are_filled_in_once_and_kubectl_diff_stays_clean() {
    let scene = Scene::with_policy(cluster().namespace().unwrap(), DEFAULTS);
    let dev = |arguments: &[&str], stdin: &str| {
        let output = scene
            .namespace
            .kubectl(User::Dev, arguments, stdin)
            .unwrap();
        output.ok().unwrap()
    };
    let applied = dev(&["apply", "-f", "-"], DEPLOYMENT);
    assert_eq!(applied, "deployment.apps/web created\n");
    // A limit is never below the request that is there.
    let expected = r#"{"limits":{"memory":"128Mi"},"requests":{"cpu":"10m","memory":"128Mi"}}"#;
    let resources = || dev(&["get", "deployment", "web", "-o", RESOURCES], "");
    assert_eq!(resources(), expected);
    assert_eq!(dev(&["diff", "-f", "-"], DEPLOYMENT), "");
    assert_eq!(
        dev(&["apply", "-f", "-"], DEPLOYMENT),
        "deployment.apps/web unchanged\n"
    );
    dev(
        &["apply", "--server-side", "--force-conflicts", "-f", "-"],
        DEPLOYMENT,
    );
    assert_eq!(resources(), expected);
    dev(
        &["rollout", "status", "deployment/web", "--timeout=60s"],
        "",
    );
    // One revision: nobody's pods were replaced.
    let revisions = ["get", "replicasets", "-o", "name"];
    assert_eq!(dev(&revisions, "").lines().count(), 1);
}
