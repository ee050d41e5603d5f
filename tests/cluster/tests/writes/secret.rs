use portcullis_cluster::{Installation, User};
use serde_json::json;

use super::{SOON, closed, verdict};

const SECRET: &str = "secret/portcullis-certificates";

fn admin(installation: &Installation<'_>, arguments: &[&str]) {
    let answer = installation
        .home
        .kubectl(User::Admin, arguments, "")
        .unwrap();
    assert_eq!(answer.code, 0, "{answer:?}");
}

/// An entry of the Secret, base64.
fn entry(installation: &Installation<'_>, name: &str) -> anyhow::Result<String> {
    let secret = installation.get(SECRET)?;
    Ok(secret["data"][name].as_str().unwrap_or_default().to_owned())
}

/// Whether there is a CA that was not there, in every bundle beside the old.
fn has_another_ca(before: String) -> impl Fn(&Installation<'_>) -> anyhow::Result<bool> {
    move |installation| {
        let now = entry(installation, "ca.crt")?;
        let [validating, mutating] = installation.configurations()?;
        let bundle =
            |one: &serde_json::Value| one["webhooks"][0]["clientConfig"]["caBundle"].clone();
        Ok(now.len() > before.len()
            && bundle(&validating) == now.as_str()
            && bundle(&mutating) == now.as_str()
            && !entry(installation, "published")?.is_empty())
    }
}

#[test]
fn certificates_that_are_deleted_or_damaged_are_made_anew_beside_the_old() {
    let (installation, namespace) = closed(&[]);
    let (before, leaf) = (
        entry(&installation, "ca.crt").unwrap(),
        entry(&installation, "tls.crt").unwrap(),
    );
    admin(&installation, &["delete", SECRET]);
    installation
        .eventually("there are new ones", SOON, has_another_ca(before))
        .unwrap();
    assert_eq!(
        entry(&installation, "tls.crt").unwrap(),
        leaf,
        "callers learn of the CA first"
    );
    assert_eq!(verdict(&namespace).code, 1);

    let before = entry(&installation, "ca.crt").unwrap();
    let damage = json!({"stringData": {"ca.key": "oops"}}).to_string();
    admin(&installation, &["patch", SECRET, "-p", &damage]);
    installation
        .eventually("it is mended", SOON, has_another_ca(before))
        .unwrap();
    let denied = verdict(&namespace);
    assert!(
        denied.stderr.contains("image-tags/image-latest"),
        "{denied:?}"
    );
    let log = installation.log();
    assert!(
        log.contains("`ca.key` holds no private key") && !log.contains("oops"),
        "{log}"
    );
}

#[test]
fn somebody_elses_secret_is_left_alone() {
    let (installation, namespace) = closed(&["--resync=500ms"]);
    admin(
        &installation,
        &["label", SECRET, "app.kubernetes.io/managed-by-"],
    );
    let version = installation.get(SECRET).unwrap()["metadata"]["resourceVersion"].clone();
    let says_so = |installation: &Installation<'_>| {
        let state = installation.state()?["conditions"].to_string();
        Ok(state.contains("is not of Portcullis, which leaves it alone: rename or delete it"))
    };
    installation
        .eventually("a condition says so", SOON, says_so)
        .unwrap();
    let now = installation.get(SECRET).unwrap();
    assert_eq!(now["metadata"]["resourceVersion"], version);
    assert_eq!(verdict(&namespace).code, 1, "what was served goes on");
}
