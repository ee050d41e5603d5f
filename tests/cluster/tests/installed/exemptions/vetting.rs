use portcullis_cluster::User;
use serde_json::{Value, json};

use super::{exemption, get, in_force, strict, write};
use crate::installed::{place, tags};
use crate::policies::{Turn, apply, eventually};

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
    // One that has ended can be labelled and deleted, and nothing else.
    let mut short = exemption("short", 8);
    write(&namespace, User::Admin, &short).ok().unwrap();
    let mut tries = 0;
    let change = || {
        tries += 1;
        short["spec"]["reason"] = json!(format!("reason {tries}"));
        write(&namespace, User::Admin, &short)
    };
    eventually("over", change, |answer| {
        answer.stderr.contains("its time was over")
    });
    get(&namespace, &["label", "pex", "short", "a=b"]);
    get(&namespace, &["delete", "pex", "short"]);
}
