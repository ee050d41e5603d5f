//! `portcullis doctor` and `portcullis smoke`, on a live installation.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use portcullis_cluster::{Installation, Namespace, User, binary};
use serde_json::{Value, json};

use crate::installed::{from_now, in_force, place};
use crate::policies::{Turn, admin, apply, eventually, policy};
use crate::support::cluster;

/// For anything that takes seconds.
const SOON: Duration = Duration::from_secs(40);

/// What a command did.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Ran {
    let command = Command::new(binary().unwrap())
        .args(arguments)
        .env_remove("KUBECONFIG")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        code: command.status.code().unwrap(),
        stdout: String::from_utf8(command.stdout).unwrap(),
        stderr: String::from_utf8(command.stderr).unwrap(),
    }
}

/// A command for an installation, as this user.
fn examine(command: &str, installation: &Installation<'_>, user: User, arguments: &[&str]) -> Ran {
    let config = cluster().kubeconfig(user).display().to_string();
    let of = [
        "--kubeconfig",
        &config,
        "--namespace",
        installation.home.name(),
        "--registration",
        installation.name(),
    ];
    run(&[&[command], &of[..], arguments].concat())
}

fn doctor(installation: &Installation<'_>) -> Ran {
    examine("doctor", installation, User::Admin, &[])
}

/// What the doctor says, check and message.
fn says(ran: &Ran, check: &str, text: &str) -> bool {
    let mut lines = ran.stdout.lines();
    lines.any(|line| line.contains(&format!("[{check}] ")) && line.contains(text))
}

/// As the harness has it, a policy for pods and Deployments.
fn installed() -> (Installation<'static>, Namespace<'static>) {
    let (mut installation, namespace) = place();
    let options = ["--settle=0s", "--resync=1s"];
    installation.start(&[&namespace], &options).expect("starts");
    in_force(&installation, &namespace);
    // Until the policy's status says so, too.
    eventually("all is well", || doctor(&installation), |ran| ran.code == 0);
    (installation, namespace)
}

fn kubectl(installation: &Installation<'_>, arguments: &[&str]) {
    let answer = installation.home.kubectl(User::Admin, arguments, "");
    answer.unwrap().ok().unwrap();
}

/// Breaks it in several ways at once, with nobody there to mend it.
fn break_it(installation: &mut Installation<'_>, namespace: &Namespace<'_>) {
    installation.kill("replica-0");
    let name = installation.name().to_owned();
    let anchor = installation.anchor();
    let stranger = json!([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle",
        "value": stranger()}]);
    let stranger = stranger.to_string();
    let disowned = r#"{"metadata": {"ownerReferences": null}}"#;
    let damaged = r#"{"data": {"tls.key": null}}"#;
    let kind = "validatingwebhookconfiguration";
    for command in [
        &["delete", "mutatingwebhookconfiguration", &name][..],
        &[
            "patch",
            kind,
            &name,
            "--type=json",
            "-p",
            &stranger,
            "--field-manager=argocd",
        ],
        &[
            "patch",
            "clusterrole",
            &anchor,
            "--type=merge",
            "-p",
            disowned,
        ],
        &[
            "patch",
            "secret",
            "portcullis-certificates",
            "--type=merge",
            "-p",
            damaged,
        ],
        &["delete", "rolebinding", &name],
        &["delete", "lease", "portcullis-leader"],
    ] {
        kubectl(installation, command);
    }
    let mut changed = policy(namespace, "tags");
    changed["spec"]["settings"] = json!({"no-such-setting": 1});
    apply(&changed.to_string()).ok().unwrap();
}

/// Some other CA, base64.
fn stranger() -> String {
    use base64::Engine as _;
    let kubeconfig = cluster().folder().join("ca.crt");
    let pem = std::fs::read(kubeconfig).unwrap();
    base64::engine::general_purpose::STANDARD.encode(pem)
}

/// The certificate that is served, where it can be reached: by who asks as the
/// API server does.
fn what_is_served(installation: &Installation<'_>) {
    let ask = |at: String| examine("doctor", installation, User::Admin, &["--served-at", &at]);
    let ours = ask(format!("127.0.0.1:{}", installation.service.port()));
    assert!(
        ours.code == 0 && !ours.stdout.contains("[served]"),
        "{ours:?}"
    );
    let nobody = ask("127.0.0.1:1".to_owned());
    assert_eq!(nobody.code, 0, "{nobody:?}");
    assert!(
        says(&nobody, "served", "cannot be seen from here"),
        "{nobody:?}"
    );
    // The API server's own is of another CA.
    let config = std::fs::read_to_string(cluster().kubeconfig(User::Admin)).unwrap();
    let (_, server) = config.split_once("https://").unwrap();
    let end = server.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c)));
    let other = ask(server[..end.unwrap()].to_owned());
    assert_eq!(other.code, 1, "{other:?}");
    assert!(says(&other, "served", "callers refuse"), "{other:?}");
}

#[test]
fn the_doctor_tells_all_that_is_broken_at_once_and_what_it_may_not_see() {
    let _turn = Turn::take();
    let (mut installation, namespace) = installed();
    let well = doctor(&installation);
    assert!(well.stdout.contains(": 0 problems, "), "{well:?}");

    what_is_served(&installation);

    // Who may see little is told so, and nothing is made up.
    let dev = examine("doctor", &installation, User::Dev, &[]);
    assert_eq!(dev.code, 2, "{dev:?}");
    for what in ["clusterrolebindings", "wasmpolicies", "daemonsets"] {
        let text = format!("{what} could not be looked at");
        assert!(says(&dev, "access", &text), "{what}: {dev:?}");
    }
    assert!(!dev.stdout.contains("problem "), "{dev:?}");

    break_it(&mut installation, &namespace);
    let broken = doctor(&installation);
    assert_eq!(broken.code, 1, "{broken:?}");
    let named = format!("ValidatingWebhookConfiguration {}", installation.name());
    for (check, text) in [
        ("registration", "MutatingWebhookConfiguration"),
        ("other-writers", "`argocd` writes the caBundle, too"),
        ("other-writers", named.as_str()),
        ("certificate", "`tls.key` is missing"),
        ("rights", "create secrets in "),
        ("leader", "no replica leads"),
        ("policies", "nobody has looked at policy tags as it is now"),
        ("anchor", "does not go with namespace"),
    ] {
        assert!(says(&broken, check, text), "{check}: {text}: {broken:?}");
    }
    let json = examine("doctor", &installation, User::Admin, &["--output", "json"]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    let lines = report["lines"].as_array().unwrap();
    assert_eq!(json.code, 1);
    assert!(
        lines
            .iter()
            .all(|line| !line["remedy"].as_str().unwrap().is_empty()),
        "{report:#}"
    );
}

#[test]
fn bad_input_to_the_doctor_is_one_line_with_a_remedy() {
    let _turn = Turn::take();
    let config = cluster().kubeconfig(User::Admin).display().to_string();
    assert!(Path::new(&config).is_file());
    for (arguments, text) in [
        (&["doctor"][..], "no cluster: "),
        (
            &["doctor", "--kubeconfig", "/nonexistent/file"],
            "--kubeconfig /nonexistent/file: ",
        ),
        (
            &["doctor", "--kubeconfig", &config, "--context", "nobody"],
            "nobody",
        ),
        (
            &["doctor", "--kubeconfig", &config, "--namespace", "nowhere"],
            "there is no namespace nowhere: give",
        ),
        (
            &["smoke", "--kubeconfig", &config, "--in", "nowhere"],
            "nowhere",
        ),
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(
            ran.stderr.starts_with("error: ") && ran.stderr.contains(text),
            "{ran:?}"
        );
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    }
}

#[test]
fn smoke_finds_a_registration_that_judges_and_one_that_is_away() {
    let _turn = Turn::take();
    let (installation, namespace) = installed();
    let tried = ["--in", namespace.name()];
    let smoke = || examine("smoke", &installation, User::Admin, &tried);
    let well = smoke();
    assert_eq!(well.code, 0, "{well:?}");
    let name = namespace.name();
    for line in [
        format!("ok Deployment {name}/portcullis-smoke-good: allowed"),
        format!("ok Deployment {name}/portcullis-smoke-bad: denied (tags/image-latest)"),
        format!("ok Pod {name}/portcullis-smoke: allowed"),
    ] {
        assert!(
            well.stdout.lines().any(|known| known == line),
            "{line}: {well:?}"
        );
    }
    let left = [
        "get",
        "pods,deployments,ingresses",
        "-n",
        name,
        "-o",
        "name",
    ];
    assert_eq!(admin(&left, "").stdout, "");

    // What is forgiven there is expected to pass.
    let may = r#"{"spec":{"exemptible":true}}"#;
    let patched = admin(
        &["patch", "wasmpolicy", "tags", "--type=merge", "-p", may],
        "",
    );
    patched.ok().unwrap();
    let exemption = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "PolicyExemption",
        "metadata": {"name": "all", "namespace": name},
        "spec": {"policy": "tags", "codes": ["image-latest"], "selector": {},
            "reason": "smoke is told of it", "expires": from_now(600)}});
    apply(&exemption.to_string()).ok().unwrap();
    let passes = format!("ok Deployment {name}/portcullis-smoke-bad: allowed");
    let forgiven = |_: &Installation<'_>| Ok(smoke().stdout.contains(&passes));
    installation.eventually("forgiven", SOON, forgiven).unwrap();

    // Where nothing is judged nothing can be tried.
    let elsewhere = examine("smoke", &installation, User::Admin, &["--in", "default"]);
    assert_eq!(elsewhere.code, 2, "{elsewhere:?}");
    assert!(
        elsewhere
            .stderr
            .contains("nothing in namespace default is judged"),
        "{elsewhere:?}"
    );

    let exemption = ["delete", "policyexemption", "all", "-n", name];
    admin(&exemption, "").ok().unwrap();
    installation.command("pause").unwrap();
    let away = examine("smoke", &installation, User::Admin, &["--in", name]);
    assert_eq!(away.code, 1, "{away:?}");
    assert!(
        away.stdout.contains("WRONG Deployment") && away.stdout.contains("was paused by admin at"),
        "{away:?}"
    );
    let told = doctor(&installation);
    assert!(
        told.code == 1 && says(&told, "registration", "was paused by admin at"),
        "{told:?}"
    );
    installation.command("resume").unwrap();
    let resumed = |_: &Installation<'_>| Ok(smoke().code == 0);
    installation
        .eventually("judged again", SOON, resumed)
        .unwrap();
}
