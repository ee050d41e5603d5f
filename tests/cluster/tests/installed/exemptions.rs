//! What is forgiven for a while, by real kubectl and with the rights of real
//! people.

use std::time::{Instant, SystemTime};

use portcullis_cluster::proxy::{Fault, Proxy, Rule};
use portcullis_cluster::{Answer, Installation, Namespace, User};
use serde_json::{Value, json};

use super::{SOON, ask, is_closed, place, tags};
use crate::live::audit;
use crate::policies::{Turn, admin, apply, eventually, is_denied};
use crate::support::{cluster, deployment};

/// So many seconds from now, as manifests say it.
fn from_now(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_secs()).unwrap();
    let at = k8s_openapi::jiff::Timestamp::from_second(now + seconds);
    at.unwrap().to_string()
}

/// From moving tags, for what has the label `app: web`.
fn exemption(name: &str, seconds: i64) -> Value {
    json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "PolicyExemption",
        "metadata": {"name": name},
        "spec": {"policy": "tags", "codes": ["image-latest"],
            "selector": {"labelSelector": {"matchLabels": {"app": "web"}}},
            "reason": "the vendor tags nothing", "expires": from_now(seconds)}})
}

/// The policy `tags` on workloads and on what is made of them, which nothing
/// but an exemption softens.
fn strict(namespace: &Namespace<'_>) -> Value {
    let rule = |group: &str, resources: &[&str]| {
        json!({"apiGroups": [group], "apiVersions": ["*"], "resources": resources,
            "operations": ["CREATE", "UPDATE"]})
    };
    let mut document = tags(namespace);
    document["spec"]["matchConstraints"]["resourceRules"] = json!([
        rule("", &["pods"]),
        rule("apps", &["deployments", "replicasets"])
    ]);
    document["spec"]["inherited"] = json!("Deny");
    document["spec"]["exemptible"] = json!(true);
    document
}

fn in_force(installation: &Installation<'_>, namespace: &Namespace<'_>) {
    apply(&strict(namespace).to_string())
        .ok()
        .expect("a policy");
    let closed = installation.eventually("it fails closed", SOON, is_closed);
    closed.expect("closed");
    eventually("denied", || ask(namespace), is_denied);
}

fn write(namespace: &Namespace<'_>, user: User, document: &Value) -> Answer {
    let apply = ["apply", "-f", "-"];
    namespace
        .kubectl(user, &apply, &document.to_string())
        .unwrap()
}

fn get(namespace: &Namespace<'_>, arguments: &[&str]) -> String {
    let answer = namespace.kubectl(User::Admin, arguments, "").unwrap();
    answer.ok().unwrap()
}

/// Waits for an answer, and says how long that took.
fn soon(what: &str, namespace: &Namespace<'_>, holds: fn(&Answer) -> bool) {
    let since = Instant::now();
    eventually(what, || ask(namespace), holds);
    eprintln!("{what} after {:?}", since.elapsed());
}

fn is_allowed(answer: &Answer) -> bool {
    answer.code == 0 && !answer.stderr.contains("Warning")
}

#[test]
fn a_deployment_and_its_pods_are_let_in_until_the_exemption_is_gone_or_over() {
    let _turn = Turn::take();
    let (mut installation, namespace) = place();
    installation.start(&[&namespace], &["--settle=0s"]).unwrap();
    in_force(&installation, &namespace);

    // Whoever writes the Deployment does not forgive himself.
    let refused = write(&namespace, User::Dev, &exemption("legacy", 3_600));
    assert!(
        refused.stderr.contains("is forbidden") && refused.code != 0,
        "{refused:?}"
    );
    let applied = write(&namespace, User::Admin, &exemption("legacy", 3_600));
    applied.ok().unwrap();
    soon("exempted", &namespace, is_allowed);
    let create = ["create", "-f", "-"];
    let manifest = deployment("web", "nginx:latest");
    let created = namespace.kubectl(User::Dev, &create, &manifest).unwrap();
    created.ok().unwrap();
    let pods = ["get", "pods", "-l", "app=web", "-o", "name"];
    eventually(
        "a Pod",
        || get(&namespace, &pods),
        |pods| pods.starts_with("pod/"),
    );
    let other = deployment("api", "nginx:latest");
    let other = namespace.kubectl(User::Dev, &create, &other).unwrap();
    assert!(is_denied(&other), "it has another label: {other:?}");
    let counted = format!(
        "portcullis_exempted_findings_total{{policy=\"tags\",namespace=\"{}\"}}",
        namespace.name()
    );
    assert!(
        installation.metric(&counted).unwrap()[0] >= 3.0,
        "Deployment, ReplicaSet, Pod"
    );

    let delete = ["delete", "policyexemption", "legacy"];
    get(&namespace, &delete);
    soon("denied", &namespace, is_denied);
    // One that ends by itself: nothing is written any more.
    let short = write(&namespace, User::Admin, &exemption("short", 10));
    short.ok().unwrap();
    soon("exempted again", &namespace, is_allowed);
    soon("denied again", &namespace, is_denied);
    assert!(
        get(&namespace, &["get", "pex"]).contains("short"),
        "it is there all the same"
    );
    installation.check().unwrap();
}

#[test]
fn whom_the_role_is_bound_to_may_forgive_and_who_reads_may_see_why() {
    let _turn = Turn::take();
    let (installation, namespace) = place();
    let can = |user: User, verb: &str| {
        let can = ["auth", "can-i", verb, "policyexemptions.portcullis.dev"];
        namespace.kubectl(user, &can, "").unwrap().stdout.trim() == "yes"
    };
    // What `deploy/rbac.yaml` aggregates is a controller's to add.
    eventually("may read", || can(User::Dev, "list"), |may| *may);
    for verb in ["create", "update", "patch", "delete"] {
        assert!(!can(User::Dev, verb), "{verb}");
    }
    let bind = ["create", "rolebinding", "exempting"];
    let role = ["--clusterrole=portcullis-exemptions-edit", "--group=devs"];
    get(&namespace, &[&bind[..], &role].concat());
    eventually("may write", || can(User::Dev, "create"), |may| *may);
    let written = write(&namespace, User::Dev, &exemption("legacy", 3_600));
    written.ok().unwrap();
    let elsewhere = cluster().namespace().unwrap();
    let refused = write(&elsewhere, User::Dev, &exemption("legacy", 3_600));
    assert!(refused.stderr.contains("is forbidden"), "{refused:?}");
    drop(installation);
}

#[test]
fn whoever_writes_an_exemption_that_cannot_work_is_told_in_one_line() {
    let _turn = Turn::take();
    let (mut installation, namespace) = place();
    installation.start(&[&namespace], &["--settle=0s"]).unwrap();
    in_force(&installation, &namespace);
    let mut closed = tags(&namespace);
    closed["metadata"]["name"] = json!("closed");
    // Applied together, in whatever order they come into force.
    let mut both = exemption("both", 3_600);
    both["metadata"]["namespace"] = json!(namespace.name());
    let mut late = strict(&namespace);
    late["metadata"]["name"] = json!("late");
    both["spec"]["policy"] = json!("late");
    apply(&format!("{closed}\n---\n{late}\n---\n{both}"))
        .ok()
        .unwrap();

    let with = |member: &str, value: Value| {
        let mut document = exemption("bad", 3_600);
        match value {
            Value::Null => drop(document["spec"].as_object_mut().unwrap().remove(member)),
            value => document["spec"][member] = value,
        }
        document
    };
    let by = "denied the request: ";
    for (document, says) in [
        (
            with("policy", json!("tag")),
            format!(
                "{by}`spec.policy`: no policy in force is named `tag`: write one of `closed`, `late`, `tags`"
            ),
        ),
        (
            with("policy", json!("closed")),
            format!(
                "{by}`spec.policy`: `closed` allows no exemptions: have its owner write `exemptible: true`"
            ),
        ),
        (
            with("codes", json!(["image-newest"])),
            format!("{by}`spec.codes`: `tags` has no code `image-newest`: write one of `"),
        ),
        (
            exemption("bad", -60),
            format!("{by}`spec.expires`: its time was over at "),
        ),
        (
            exemption("bad", 367 * 86_400),
            "is more than 366 days from now: write an earlier time".to_owned(),
        ),
        // What no webhook has to be asked for.
        (
            with("codes", json!(["*"])),
            "`*` would forgive what the policy does not find yet".to_owned(),
        ),
        (
            with("codes", json!([])),
            "should have at least 1 items".to_owned(),
        ),
        (
            with("reason", json!(" \n")),
            "write why this is forgiven".to_owned(),
        ),
        (
            with("expires", Value::Null),
            "spec.expires: Required value".to_owned(),
        ),
        (
            with("selector", Value::Null),
            "spec.selector: Required value".to_owned(),
        ),
        (
            with("expires", json!("tomorrow")),
            "must be of type date-time".to_owned(),
        ),
        (
            with("selector", json!({"names": ["web-*"]})),
            "has no wildcards".to_owned(),
        ),
        (
            with("selector", json!({"matchLabels": {}})),
            format!(
                "{by}`spec.selector.matchLabels`: unknown field `matchLabels`, expected one of"
            ),
        ),
    ] {
        let answer = write(&namespace, User::Admin, &document);
        assert!(
            answer.code != 0 && answer.stderr.contains(&says),
            "{says}: {answer:?}"
        );
    }
    // One that has ended can be labelled and deleted; more time is asked for.
    write(&namespace, User::Admin, &exemption("short", 4))
        .ok()
        .unwrap();
    let label = || {
        let more = write(
            &namespace,
            User::Admin,
            &with_reason(&exemption("short", -1)),
        );
        more.stderr.contains("its time was over")
    };
    eventually("over", label, |over| *over);
    get(&namespace, &["label", "pex", "short", "a=b"]);
    get(&namespace, &["delete", "pex", "short"]);
}

fn with_reason(document: &Value) -> Value {
    let mut document = document.clone();
    document["spec"]["reason"] = json!("another one");
    document
}

/// The status of an exemption: `.status` and its only condition.
fn status(namespace: &Namespace<'_>, name: &str) -> Value {
    let text = get(namespace, &["get", "pex", name, "-o", "json"]);
    let object: Value = serde_json::from_str(&text).unwrap();
    object["status"].clone()
}

#[test]
fn audits_tell_what_each_exemption_is_good_for() {
    let _turn = Turn::take();
    let (mut installation, namespace) = place();
    let options = ["--settle=0s", "--audit-interval=5s"];
    installation.start(&[&namespace], &options).unwrap();
    in_force(&installation, &namespace);
    write(&namespace, User::Admin, &exemption("legacy", 3_600))
        .ok()
        .unwrap();
    let mut idle = exemption("idle", 3_600);
    idle["spec"]["selector"] = json!({"names": ["nothing"]});
    write(&namespace, User::Admin, &idle).ok().unwrap();
    write(&namespace, User::Admin, &exemption("short", 4))
        .ok()
        .unwrap();
    soon("exempted", &namespace, is_allowed);
    let create = ["create", "-f", "-"];
    let manifest = deployment("web", "nginx:latest");
    let created = namespace.kubectl(User::Dev, &create, &manifest).unwrap();
    created.ok().unwrap();

    // From outside, with the rights of who audits.
    let ask = || {
        let home = installation.home.name();
        audit(&["--namespace", namespace.name(), "--installation", home])
    };
    let of = |report: &Value| {
        let findings = report["findings"].as_array().unwrap().iter();
        let mut of: Vec<String> = findings
            .map(|one| {
                let text = |member: &str| one[member].as_str().unwrap_or_default();
                format!(
                    "{} {} {} {}",
                    text("kind"),
                    text("name"),
                    text("code"),
                    text("action")
                )
            })
            .collect();
        of.sort();
        of
    };
    let expected = [
        "Deployment web image-latest audit",
        "PolicyExemption idle exemption-unused warn",
        "PolicyExemption short exemption-expired warn",
    ];
    let audited = eventually("told", ask, |audited| of(&audited.report) == expected);
    assert_eq!(audited.code(), 0, "{audited:?}");
    let finding = &audited.report["findings"][0];
    assert_eq!(finding["exemption"]["name"], "legacy", "{finding}");
    let listed = audited.report["exemptions"].as_array().unwrap();
    let used: Vec<(&str, u64)> = listed
        .iter()
        .map(|one| {
            (
                one["name"].as_str().unwrap(),
                one["objects"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(used, [("idle", 0), ("legacy", 1), ("short", 0)]);

    // And again and again, by the replica that leads.
    let status = |name: &'static str| {
        let namespace = &namespace;
        move || status(namespace, name)
    };
    let says = |status: &Value, objects: u64, reason: &str| {
        status["objects"] == objects && status["conditions"][0]["reason"] == reason
    };
    let legacy = eventually("used", status("legacy"), |one| says(one, 1, "AsWritten"));
    assert!(legacy["lastUsed"].is_string(), "{legacy}");
    eventually("idle", status("idle"), |one| says(one, 0, "Unused"));
    let over = eventually("over", status("short"), |one| says(one, 0, "Expired"));
    assert_eq!(over["conditions"][0]["status"], "False", "{over}");
    let shown = get(&namespace, &["get", "pex"]);
    let line = |name: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(shown.starts_with("NAME     POLICY   CODES"), "{shown}");
    let words = line("legacy");
    assert!(
        words.contains("tags") && words.contains(r#"["image-latest"]"#),
        "{shown}"
    );
    let events = [
        "get",
        "events.events.k8s.io",
        "-o",
        "jsonpath={.items[*].reason}",
    ];
    let told = |reasons: &String| {
        reasons.contains("ExemptionUnused") && reasons.contains("ExemptionExpired")
    };
    eventually("events", || get(&namespace, &events), told);
    // The object that it let in did not slip in.
    get(&namespace, &["delete", "pex", "legacy"]);
    eventually("denied", ask, |audited| audited.code() == 1);
    installation.check().unwrap();
}

#[test]
fn what_is_known_stays_in_force_while_the_api_server_is_away() {
    let _turn = Turn::take();
    let (mut installation, namespace) = place();
    let proxy = Proxy::start(cluster()).unwrap();
    installation.through(&proxy).unwrap();
    installation.start(&[&namespace], &["--settle=0s"]).unwrap();
    in_force(&installation, &namespace);
    write(&namespace, User::Admin, &exemption("legacy", 3_600))
        .ok()
        .unwrap();
    soon("exempted", &namespace, is_allowed);
    let outage = proxy.outage();
    proxy.expire_watches("policyexemptions");
    let is_away = |installation: &Installation<'_>| {
        let health = installation.health()?.concat();
        Ok(health.contains("watch/policyexemptions: not watched, what is known stays"))
    };
    installation.eventually("away", SOON, is_away).unwrap();
    assert!(is_allowed(&ask(&namespace)));
    get(&namespace, &["delete", "pex", "legacy"]);
    drop(outage);
    soon("denied after the outage", &namespace, is_denied);
    // A watch whose version is too old.
    let account = installation.account_name();
    let gone = Rule::new(Fault::Gone).account(&account).verb("watch");
    let gone = proxy.inject(gone.resource("policyexemptions"));
    let met = |_: &Installation<'_>| {
        proxy.expire_watches("policyexemptions");
        Ok(gone.hits() > 0)
    };
    installation.eventually("met", SOON, met).unwrap();
    write(&namespace, User::Admin, &exemption("legacy", 3_600))
        .ok()
        .unwrap();
    drop(gone);
    soon("exempted after 410", &namespace, is_allowed);
    installation.check().unwrap();
}
