//! Least privilege: what an installation does, and what the chart
//! grants it, are the same. In which namespace is for the API server to say.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use portcullis_cluster::proxy::{Access, Fault, Proxy, Rule};
use portcullis_cluster::{Installation, Namespace, User};
use serde_json::{Value, json};

use super::define_reports;
use super::{SOON, ask, both_true, condition, in_force, is_closed, place, tags};
use crate::policies::{Turn, admin, apply, config_map, eventually, is_denied, policy};
use crate::support::{cluster, deployment};

/// Group, resource, verb.
pub(super) type Right = [String; 3];

/// The strings of a list.
fn list(value: &Value) -> Vec<&str> {
    let values = value.as_array().into_iter().flatten();
    values.filter_map(Value::as_str).collect()
}

fn of_role(role: &Value) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().into_iter().flatten() {
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                for verb in list(&rule["verbs"]) {
                    rights.insert([group, resource, verb].map(str::to_owned));
                }
            }
        }
    }
    rights
}

pub(super) fn granted(installation: &Installation<'_>) -> Result<BTreeSet<Right>> {
    let name = installation.name();
    let events = admin(&["get", "role", name, "-n", "default", "-o", "json"], "").ok()?;
    let roles = [
        installation.get(&format!("clusterrole/{name}"))?,
        installation.get(&format!("role/{name}"))?,
        serde_json::from_str(&events)?,
    ];
    Ok(roles.iter().flat_map(of_role).collect())
}

/// What it did, or tried to do.
fn used(proxy: &Proxy<'_>, account: &str) -> BTreeSet<Right> {
    let mut used = BTreeSet::new();
    let own = proxy.counts().into_keys();
    // What every account may ask: which kinds there are.
    let is_discovery = |access: &Access| matches!(access.resource.as_str(), "/api" | "/apis");
    for access in own.filter(|access| access.account == account && !is_discovery(access)) {
        // Where an apply makes an object, the API server asks for `create`,
        // too, though there is but one request.
        let is_applied = ["admissionregistration.k8s.io", "openreports.io"];
        if is_applied.contains(&access.group.as_str()) && access.verb == "patch" {
            let create = "create".to_owned();
            used.insert([access.group.clone(), access.resource.clone(), create]);
        }
        used.insert([access.group, access.resource, access.verb]);
    }
    used
}

/// Another policy, whose program is in a ConfigMap.
fn from_config_map(installation: &Installation<'_>, namespace: &Namespace<'_>) -> Value {
    let (_, program) = config_map(namespace.name());
    let name = installation.name();
    let role = ["create", "role", "program", "--verb=get"];
    let of = ["--resource=configmaps", "--resource-name=tags"];
    let account = format!("--serviceaccount={}:{name}", installation.home.name());
    let binding = ["create", "rolebinding", "program", "--role=program"];
    for command in [
        [&role[..], &of].concat(),
        [&binding[..], &[&account]].concat(),
    ] {
        let answer = namespace.kubectl(User::Admin, &command, "");
        answer.unwrap().ok().unwrap();
    }
    let mut document = policy(namespace, "own");
    document["spec"]["program"] = program;
    // This one hangs on labels.
    document["spec"]["matchConstraints"]["namespaceSelector"] = json!({"matchExpressions":
        [{"key": "env", "operator": "NotIn", "values": ["dev"]}]});
    document
}

/// While it is paused the same bad news comes twice, with a good one between.
fn pause_and_resume(installation: &Installation<'_>, namespace: &Namespace<'_>) {
    installation.command("pause").unwrap();
    eventually("allowed", || ask(namespace), |answer| answer.code == 0);
    // Now that nobody tries policies out, bad ones are stored.
    for _ in 0..2 {
        let mut bad = tags(namespace);
        bad["spec"]["settings"] = json!({"no-such-setting": 1});
        apply(&bad.to_string()).ok().unwrap();
        eventually(
            "bad",
            || condition("tags", "Loaded"),
            |status| status == "False",
        );
        apply(&tags(namespace).to_string()).ok().unwrap();
        eventually(
            "good",
            || condition("tags", "Loaded"),
            |status| status == "True",
        );
    }
    installation.command("resume").unwrap();
    installation
        .eventually("closed again", SOON, is_closed)
        .unwrap();
}

/// Deregistered, registered by somebody else, and taken away again.
fn deregister(installation: &Installation<'_>) {
    installation.command("deregister").unwrap();
    for kind in [
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    ] {
        // As ours; one without the label would be that of the manifests, and stay.
        let labels = json!({"app.kubernetes.io/managed-by": "portcullis"});
        let metadata = json!({"name": installation.name(), "labels": labels});
        let object = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": metadata, "webhooks": []});
        admin(&["create", "-f", "-"], &object.to_string())
            .ok()
            .unwrap();
    }
    let is_away = |installation: &Installation<'_>| {
        Ok(installation.configurations()?.iter().all(Value::is_null))
    };
    installation
        .eventually("taken away", SOON, is_away)
        .unwrap();
}

/// Labels are asked for one by one while namespaces cannot be watched.
fn without_watch(proxy: &Proxy<'_>, account: &str, namespace: &Namespace<'_>) {
    let rule = |verb: &str| {
        let rule = Rule::new(Fault::Unavailable).account(account);
        proxy.inject(rule.resource("namespaces").verb(verb))
    };
    let (_list, _watch) = (rule("list"), rule("watch"));
    proxy.expire_watches("namespaces");
    let asked = || {
        ask(namespace);
        let counts = proxy.counts();
        counts
            .keys()
            .any(|access| access.verb == "get" && access.resource == "namespaces")
    };
    eventually("a namespace is asked for", asked, |asked| *asked);
}

/// Every policy of the pack for a while: what they match is listed, and what
/// they find is told.
fn audited(proxy: &Proxy<'_>, account: &str, namespace: &Namespace<'_>) {
    let bad = deployment("listed", "nginx:latest");
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": format!("{}-all", namespace.name())},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    for object in [bad, role.to_string()] {
        let created = namespace.kubectl(User::Admin, &["create", "-f", "-"], &object);
        created.unwrap().ok().unwrap();
    }
    let done = |group: &'static str, resource: &'static str, verb: &'static str| {
        let asked = || {
            let counts = proxy.counts();
            let mut own = counts.keys().filter(|access| access.account == account);
            own.any(|one| (&*one.group, &*one.resource, &*one.verb) == (group, resource, verb))
        };
        eventually(resource, asked, |asked| *asked);
    };
    admin(&["apply", "-f", "pack/observe"], "").ok().unwrap();
    // The last by name of what is listed, and what comes of it.
    done("rbac.authorization.k8s.io", "roles", "list");
    done("openreports.io", "clusterreports", "patch");
    admin(&["delete", "-f", "pack/observe"], "").ok().unwrap();
    let name = format!("{}-all", namespace.name());
    admin(&["delete", "clusterrole", &name], "").ok().unwrap();
    let exemption = ["delete", "policyexemption", "legacy"];
    let deleted = namespace.kubectl(User::Admin, &exemption, "");
    deleted.unwrap().ok().unwrap();
    done("openreports.io", "reports", "delete");
    done("openreports.io", "clusterreports", "delete");
}

/// An exemption is there, so that an audit has something to write to it.
fn exempted(namespace: &Namespace<'_>) {
    let exemption = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "PolicyExemption",
        "metadata": {"name": "legacy"}, "spec": {"policy": "tags", "codes": ["image-latest"],
            "selector": {}, "reason": "r", "expires": "2999-01-01T00:00:00Z"}});
    let created = namespace.kubectl(User::Admin, &["create", "-f", "-"], &exemption.to_string());
    created.unwrap().ok().unwrap();
}

#[test]
fn an_installation_may_do_what_it_does_and_nothing_else() {
    let _turn = Turn::take();
    define_reports();
    let (mut installation, namespace) = place();
    let proxy = Proxy::start(cluster()).unwrap();
    installation.through(&proxy).unwrap();
    let options = ["--settle=0s", "--audit-interval=10s"];
    exempted(&namespace);
    installation.start(&[&namespace], &options).unwrap();
    audited(&proxy, &installation.account_name(), &namespace);
    in_force(&installation, &namespace);
    let own = from_config_map(&installation, &namespace);
    apply(&own.to_string()).ok().unwrap();
    both_true("own");
    without_watch(&proxy, &installation.account_name(), &namespace);
    pause_and_resume(&installation, &namespace);
    eventually("denied", || ask(&namespace), is_denied);
    admin(&["delete", "wasmpolicy", "own"], "").ok().unwrap();
    deregister(&installation);

    let mut granted = granted(&installation).unwrap();
    let copies = ["", "configmaps", "delete"].map(str::to_owned);
    assert!(granted.contains(&copies));
    match std::env::var_os("PORTCULLIS_FULL") {
        // A copy that nobody names is deleted after a minute or two.
        Some(_) => {
            let copies = ["get", "configmaps", "-o", "name"];
            let list = || installation.home.kubectl(User::Admin, &copies, "").unwrap();
            let most = Duration::from_secs(180);
            let gone = |_: &Installation<'_>| Ok(!list().stdout.contains("program"));
            installation
                .eventually("the copy is gone", most, gone)
                .unwrap();
        }
        None => drop(granted.remove(&copies)),
    }
    let used = used(&proxy, &installation.account_name());
    // All there is may be listed, where one policy looks at all there is.
    let all = ["*", "*", "list"].map(str::to_owned);
    let missing = granted.difference(&used);
    let missing: Vec<_> = missing.filter(|right| *right != &all).collect();
    let besides = used.difference(&granted);
    let besides: Vec<_> = besides
        .filter(|[_, _, verb]| verb != "list" || !granted.contains(&all))
        .collect();
    assert!(missing.is_empty(), "granted and never used: {missing:?}");
    assert!(
        besides.is_empty(),
        "used and granted by nobody here: {besides:?}"
    );
    let refused = installation
        .log()
        .lines()
        .any(|line| line.contains("is forbidden"));
    assert!(!refused, "{}", installation.log());
    eprintln!("{} rights, each used", used.len());
}
