//! What is told before anything is moved, and before anything is uninstalled.

use portcullis_cluster::{User, helm};
use serde_json::{Value, json};

use super::{OTHER, Stage, VALUE, config_map, get, kubectl, served};
use crate::policies::{admin, eventually};
use crate::support::cluster;

/// Someone who reads one key, as a file that never changes.
fn deployment() -> String {
    let labels = json!({"app": "web"});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
    "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
        "metadata": {"labels": labels},
        "spec": {
            "containers": [{"name": "a", "image": "example.com/a:1", "volumeMounts": [
                {"name": "files", "mountPath": "/etc/p", "subPath": "p"}]}],
            "volumes": [{"name": "files", "configMap": {"name": "app",
                "items": [{"key": "PASSWORD", "path": "p"}]}}],
        }}}})
    .to_string()
}

fn pod() -> String {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "old"}, "spec": {
        "containers": [{"name": "a", "image": "example.com/a:1",
            "envFrom": [{"configMapRef": {"name": "app"}}]}]}})
    .to_string()
}

/// ConfigMaps that cannot be moved out of as they are, and one that can.
fn apply_all(namespace: &str) {
    let mut immutable = config_map("fixed", json!({"PASSWORD": VALUE}));
    immutable.insert_str(1, "\"immutable\": true, ");
    let mut owned: Value =
        serde_json::from_str(&config_map("owned", json!({"PASSWORD": VALUE}))).expect("JSON");
    for text in [
        config_map("app", json!({"PASSWORD": VALUE, "LOG_LEVEL": "info"})),
        config_map(
            "twice",
            json!({"PASSWORD": OTHER, "note": format!("use {OTHER} here")}),
        ),
        config_map("plain", json!({"LOG_LEVEL": "info"})),
        immutable,
        pod(),
        deployment(),
    ] {
        let created = kubectl(namespace, &["create", "-f", "-"], &text);
        assert_eq!(created.code, 0, "{}", created.stderr);
    }
    let uid = &get(namespace, "configmap", "app")["metadata"]["uid"];
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "app", "uid": uid}]);
    let created = kubectl(namespace, &["create", "-f", "-"], &owned.to_string());
    assert_eq!(created.code, 0, "{}", created.stderr);
}

/// The part of a plan about one ConfigMap.
fn of<'p>(plan: &'p str, name: &str) -> &'p str {
    let start = plan.find(&format!("ConfigMap {name},")).expect("its part");
    let rest = &plan[start..];
    let is_next = |line: &str| !line.starts_with("  ");
    let mut end = 0;
    for (index, line) in rest.split_inclusive('\n').enumerate() {
        if index > 0 && is_next(line) {
            break;
        }
        end += line.len();
    }
    &rest[..end]
}

#[test]
fn a_plan_says_what_would_move_what_is_in_the_way_and_what_comes_next() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("plan");
    apply_all(&namespace);
    let plan = |stage: &Stage| {
        let said = stage.secrets(&["plan", &namespace]).expect("a plan");
        assert!(!said.contains(VALUE) && !said.contains(OTHER), "{said}");
        said
    };
    let said = plan(&stage);
    let enrol = format!("is not enrolled; next: portcullis secrets enrol {namespace}");
    assert!(said.contains(&enrol), "{said}");
    let app = of(&said, "app");
    assert!(app.contains("1 key would move"), "{app}");
    let deployment =
        "used by Deployment web: subPath (PASSWORD, never refreshed while a pod runs)\n";
    assert!(app.contains(deployment), "{app}");
    let pod = "used by Pod old: envFrom; 1 pod still reads it in the ConfigMap\n";
    assert!(app.contains(pod), "{app}");
    assert!(
        !app.contains("in the way") && !app.contains("next"),
        "{app}"
    );
    assert!(
        of(&said, "twice")
            .contains("in the way: a value to be moved to a Secret is also at /data/note"),
        "{said}"
    );
    assert!(
        of(&said, "fixed").contains("in the way: it is immutable"),
        "{said}"
    );
    assert!(
        of(&said, "owned").contains("in the way: it belongs to ConfigMap app"),
        "{said}"
    );
    assert!(
        said.contains("1 ConfigMap is without anything to move"),
        "{said}"
    );
    // It writes nothing.
    let relocations = kubectl(&namespace, &["get", "relocations", "-o", "name"], "");
    assert_eq!(relocations.stdout, "");

    stage.enrol(&namespace);
    let next = |said: &str| {
        let lines = of(said, "app").lines();
        let next: Vec<String> = lines
            .filter_map(|line| line.strip_prefix("  next: "))
            .map(str::to_owned)
            .collect();
        next.join("; ")
    };
    let said = plan(&stage);
    assert!(of(&said, "app").contains("stage Audit"), "{said}");
    assert_eq!(
        next(&said),
        format!("portcullis secrets prepare {namespace} app --key PASSWORD")
    );
    let prepare = ["prepare", &namespace, "app", "--key=PASSWORD"];
    stage.secrets(&prepare).expect("prepared");
    assert_eq!(
        next(&plan(&stage)),
        "replace the pods of Pod old (they read it until then)"
    );
    let delete = ["delete", "pod", "old", "--grace-period=0", "--force"];
    assert_eq!(kubectl(&namespace, &delete, "").code, 0);
    let redact = format!("portcullis secrets redact {namespace} app");
    eventually(
        "redact is next",
        || next(&plan(&stage)),
        |next| *next == redact,
    );
    stage
        .secrets(&["redact", &namespace, "app"])
        .expect("redacted");
    served(&namespace, "app");
    assert!(
        plan(&stage).contains("1 ConfigMap is moved"),
        "{}",
        plan(&stage)
    );
}

/// The rights of the hook, as the chart has them.
fn uninstalling(stage: &Stage) -> String {
    let home = stage.installation.home.name();
    let chart = helm::chart().display().to_string();
    let arguments = [
        "template",
        "portcullis",
        &chart,
        &format!("--namespace={home}"),
        "--set=relocation.enabled=true,relocation.portIsGuarded=true",
        "--show-only=templates/uninstalling.yaml",
    ];
    let rendered = helm::run(&arguments).and_then(|answer| answer.ok());
    let rendered = rendered.expect("it renders");
    let documents = rendered
        .split("---\n")
        .filter(|one| !one.contains("kind: Job\n"));
    let rights = documents.collect::<Vec<_>>().join("---\n");
    admin(&["apply", "-f", "-"], &rights).ok().expect("rights");
    let token = ["create", "token", "portcullis-uninstalling", "-n", home];
    admin(&token, "").ok().expect("a token").trim().to_owned()
}

/// `portcullis secrets moved` as that account.
fn moved(token: &str) -> Result<String, String> {
    let config = std::fs::read_to_string(cluster().kubeconfig(User::Admin)).expect("a file");
    let mut config: Value = serde_json::from_str(&config).expect("JSON");
    for user in config["users"].as_array_mut().into_iter().flatten() {
        user["user"] = json!({"token": token});
    }
    let path = std::env::temp_dir().join(format!("{}.moved.kubeconfig", std::process::id()));
    std::fs::write(&path, config.to_string()).expect("written");
    let place = path.display().to_string();
    let said = portcullis_cluster::Portcullis::print(&["secrets", "moved", "--kubeconfig", &place]);
    std::fs::remove_file(&path).expect("removed");
    said.map_err(|error| format!("{error:#}"))
}

/// What is moved, and never what it is called.
fn told_by_metrics(stage: &Stage, namespace: &str) {
    let serving = stage.serving.as_ref().expect("it runs");
    let config_maps = format!("portcullis_relocation_config_maps{{namespace=\"{namespace}\"}} 1");
    let metrics = || serving.metrics().expect("metrics");
    let text = eventually("counted", metrics, |text| text.contains(&config_maps));
    for line in ["keys", "dangling", "unserved"].into_iter().zip([1, 0, 0]) {
        let (name, value) = line;
        let line = format!("portcullis_relocation_{name}{{namespace=\"{namespace}\"}} {value}");
        assert!(text.contains(&line), "{line}\n{text}");
    }
    assert!(
        !text.contains("PASSWORD") && !text.contains("\"app\""),
        "{text}"
    );
    let moved = stage
        .installation
        .metric("portcullis_relocation_moved_keys_total");
    let moved: f64 = moved.expect("metrics").iter().sum();
    assert!(moved >= 1.0, "{moved}");
}

/// What is not as it should be: here no pod serves, but a process.
fn told_by_the_doctor(stage: &Stage, namespace: &str) {
    let config = cluster().kubeconfig(User::Admin).display().to_string();
    let home = format!("--namespace={}", stage.installation.home.name());
    let registration = format!("--registration={}", stage.installation.name());
    let ask = || {
        let ask = ["doctor", "--kubeconfig", &config, &home, &registration];
        let said = portcullis_cluster::Portcullis::print(&ask);
        let said = said.expect_err("something is wrong").to_string();
        // Other tests move values in this cluster too.
        let own = [
            stage.installation.home.name(),
            namespace,
            "ValidatingAdmission",
        ];
        let is_own = |line: &&str| own.iter().any(|own| line.contains(own));
        let lines = said.lines().filter(|line| line.contains("[relocation]"));
        let lines = lines.filter(is_own);
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let said = ask();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("of 0 pods of `portcullis relocate` none is ready"),
        "{said}"
    );
    let binding = "portcullis-relocation-serving";
    let delete = ["delete", "rolebinding", binding];
    assert_eq!(kubectl(namespace, &delete, "").code, 0);
    let guard = "portcullis-reserved-secrets";
    admin(&["delete", "validatingadmissionpolicybinding", guard], "")
        .ok()
        .expect("deleted");
    let said = ask();
    let unbound =
        format!("namespace {namespace} is enrolled, and our accounts do not have there: {binding}");
    assert!(said.contains(&unbound), "{said}");
    assert!(
        said.contains("has no binding, and judges nothing"),
        "{said}"
    );
}

#[test]
fn who_uninstalls_is_told_what_is_moved_until_it_is_put_back() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("leaving");
    let token = uninstalling(&stage);
    let map = config_map("app", json!({"PASSWORD": VALUE}));
    assert_eq!(kubectl(&namespace, &["apply", "-f", "-"], &map).code, 0);
    told_by_metrics(&stage, &namespace);
    told_by_the_doctor(&stage, &namespace);
    // Nothing of ours has to run.
    stage.serving = None;
    for name in ["replica-0", "replica-1"] {
        stage.installation.kill(name);
    }
    let refused = moved(&token).expect_err("refused");
    let place = format!("ConfigMap {namespace}/app: data.PASSWORD moved to a Secret");
    assert!(refused.contains(&place), "{refused}");
    assert!(
        refused.contains("portcullis secrets restore --all"),
        "{refused}"
    );
    stage.secrets(&["restore", &namespace]).expect("restored");
    assert_eq!(moved(&token).expect("allowed"), "nothing is moved\n");
    let names = "clusterrole,clusterrolebinding";
    admin(&["delete", names, "portcullis-uninstalling"], "");
}
