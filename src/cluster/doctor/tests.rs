use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use cases::{broken, other, without_lookups_of};
use healthy::healthy;

mod cases;
mod healthy;

#[test]
fn nothing_is_said_of_an_installation_in_order() {
    let lines = diagnose(&healthy());
    assert_eq!(lines, [], "{lines:#?}");
    assert_eq!(exit_code(&lines), 0);
}

#[test]
fn each_check_says_what_is_wrong_and_how_to_mend_it() {
    for (check, grade, text, break_it) in broken() {
        let mut seen = healthy();
        break_it(&mut seen);
        let lines = diagnose(&seen);
        let said = lines
            .iter()
            .find(|line| line.check == check && line.message.contains(text));
        let said = said.unwrap_or_else(|| panic!("{check}: {text}: {lines:#?}"));
        assert_eq!(said.grade, grade, "{said:?}");
        assert!(
            !said.remedy.is_empty() && !said.message.contains('\n'),
            "{said:?}"
        );
        assert_eq!(
            exit_code(std::slice::from_ref(said)),
            u8::from(grade == Grade::Problem)
        );
    }
    let broken: BTreeSet<&str> = broken().iter().map(|(check, ..)| *check).collect();
    assert_eq!(broken, checks().collect(), "each check has a case");
}

#[test]
fn without_a_profile_nobody_needs_what_it_looks_up() {
    let mut seen = healthy();
    without_lookups_of(&mut seen, "poddisruptionbudgets");
    let lines = diagnose(&seen);
    assert_eq!(lines, [], "{lines:#?}");
}

#[test]
fn who_enforces_network_policies_matters_where_they_are_counted_on() {
    let mut seen = healthy();
    seen.nodes = Some(vec![]);
    assert_eq!(diagnose(&seen), []);
    let policy = &mut seen.policies.as_mut().expect("seen")[0];
    policy["spec"]["effects"] =
        json!([{"apiGroup": "networking.k8s.io", "resource": "networkpolicies"}]);
    let k3s = json!({"status": {"nodeInfo": {"kubeletVersion": "v1.34.1+k3s1"}}});
    seen.nodes = Some(vec![k3s]);
    assert_eq!(diagnose(&seen), []);
}

#[test]
fn webhooks_that_leave_us_alone_are_not_told() {
    let mut seen = healthy();
    other(&mut seen, 0, "open", json!({}))["webhooks"][0]["failurePolicy"] = "Ignore".into();
    other(
        &mut seen,
        0,
        "elsewhere",
        json!({"matchLabels": {"a": "b"}}),
    );
    other(&mut seen, 1, "before", json!({"matchLabels": {"a": "b"}}))["webhooks"][0]["reinvocationPolicy"] =
        "IfNeeded".into();
    let lines = diagnose(&seen);
    assert_eq!(lines, [], "{lines:#?}");
}

#[test]
fn what_could_not_be_looked_at_is_told_and_not_judged() {
    let nothing = Seen {
        place: healthy().place,
        unseen: vec![("secret portcullis-certificates".into(), "forbidden".into())],
        ..Seen::default()
    };
    let lines = diagnose(&nothing);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((lines[0].grade, exit_code(&lines)), (Grade::Unknown, 2));
    let text = render::human(&lines, "namespace portcullis");
    assert!(
        text.contains("secret portcullis-certificates could not be looked at: forbidden"),
        "{text}"
    );
}

#[test]
fn the_page_of_the_doctor_names_each_check() {
    let page = include_str!("../../../docs/doctor.md");
    for check in checks().chain(["access"]) {
        assert!(
            page.contains(&format!("| `{check}` |")),
            "{check} is not in docs/doctor.md"
        );
    }
}

#[test]
fn json_has_a_line_for_each_thing() {
    let mut seen = healthy();
    seen.policies = Some(vec![]);
    let text = render::json(&diagnose(&seen), "portcullis");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["schema"], 1);
    assert_eq!(document["lines"][0]["check"], "policies");
    assert_eq!(document["lines"][0]["grade"], "note");
}
