//! What policies look up takes rights, and who lacks one says so.

use portcullis_cluster::{Answer, Namespace, User};
use serde_json::{Value, json};

use super::{SOON, condition, is_closed, place, tags};
use crate::policies::{Turn, admin, apply, eventually, shown};

/// The rule that Portcullis needs, as it tells it.
const RULE: &str = "{apiGroups: [\"\"], resources: [secrets], verbs: [list, watch]}";
const ANSWERED: &str = "LookupsAnswered";

/// Denies what names a Secret that is not there, and fails closed.
fn references(namespace: &Namespace<'_>) -> Value {
    let mut document = tags(namespace);
    document["metadata"]["name"] = json!("references");
    document["spec"]["program"] = json!({"builtin": "dangling-references"});
    document["spec"]["lookups"] = json!([{"resource": "secrets"}]);
    document["spec"]["overrides"] = json!([{"validationActions": ["Deny"]}]);
    document
}

/// What `dev` gets for a Deployment that takes its variables from here; it is
/// not stored.
fn ask(namespace: &Namespace<'_>, env_from: &Value) -> Answer {
    let container = json!({"name": "web", "image": "nginx:1.27.3", "envFrom": env_from});
    let labels = json!({"app": "web"});
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}});
    let create = ["create", "--dry-run=server", "-f", "-"];
    let asked = namespace.kubectl(User::Dev, &create, &object.to_string());
    asked.expect("kubectl runs")
}

/// Takes the right away when it is dropped.
struct Right(String);

impl Right {
    fn grant(account: &str, namespace: &Namespace<'_>) -> Right {
        let name = format!("{}-lookups", namespace.name());
        let role = ["create", "clusterrole", &name, "--verb=list,watch"];
        let made = admin(&[&role[..], &["--resource=secrets"]].concat(), "");
        made.ok().expect("a role");
        let (role, account) = (
            format!("--clusterrole={name}"),
            format!("--serviceaccount={account}"),
        );
        let binding = ["create", "clusterrolebinding", &name, &role, &account];
        admin(&binding, "").ok().expect("a binding");
        Right(name)
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        for kind in ["clusterrolebinding", "clusterrole"] {
            admin(&["delete", kind, &self.0], "");
        }
    }
}

#[test]
fn a_right_that_is_missing_is_told_with_its_rule_and_nothing_is_guessed_until_it_is_there() {
    let _turn = Turn::take();
    let (mut installation, namespace) = place();
    let started = installation.start(&[&namespace], &["--settle=0s"]);
    started.expect("starts");
    apply(&references(&namespace).to_string())
        .ok()
        .expect("a policy");
    let answered = || condition("references", ANSWERED);
    eventually("told", answered, |status| status == "False");
    let message = ".status.conditions[?(@.type==\"LookupsAnswered\")].message";
    let message = shown("references", message);
    assert!(message.contains(RULE), "{message}");
    installation
        .eventually("it fails closed", SOON, is_closed)
        .expect("closed");
    let of_secret = json!([{"secretRef": {"name": "db"}}]);
    let fails = |answer: &Answer| answer.code != 0 && answer.stderr.contains(RULE);
    let failed = eventually("fails", || ask(&namespace, &of_secret), fails);
    assert!(!failed.stderr.contains("there is no Secret"), "{failed:?}");
    let unconcerned = ask(&namespace, &json!([]));
    assert_eq!(unconcerned.code, 0, "{unconcerned:?}");

    let account = format!("{}:{}", installation.home.name(), installation.name());
    let _right = Right::grant(&account, &namespace);
    eventually("answered", answered, |status| status == "True");
    let missing = |answer: &Answer| answer.stderr.contains("there is no Secret `db`");
    eventually("missing", || ask(&namespace, &of_secret), missing);
    let secret = ["create", "secret", "generic", "db", "--from-literal=a=b"];
    let made = namespace.kubectl(User::Admin, &secret, "");
    made.expect("kubectl runs").ok().expect("a Secret");
    let allowed = |answer: &Answer| answer.code == 0;
    eventually("allowed", || ask(&namespace, &of_secret), allowed);
}
