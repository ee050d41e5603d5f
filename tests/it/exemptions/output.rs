//! What people and other programs read.

use serde_json::Value;

use super::{check, deployment, exemption, from_now, json};
use crate::support::Scratch;

#[test]
fn people_read_by_what_and_until_when_it_is_exempted() {
    let scratch = Scratch::new();
    let until = from_now(3_600);
    let text = format!("{}---\n{}", deployment("web", "web"), exemption(&until));
    let file = scratch.file("all.yaml", text);
    let (code, said) = check(&scratch, &[&file], &[]);
    assert_eq!(code, Some(0), "{said}");
    let line = format!(
        "exempted by shop/legacy until {until}: 1 finding, 1 object: the vendor tags nothing"
    );
    assert!(said.contains(&line), "{said}");
    assert!(said.contains("     1 exempted tags/image-latest"), "{said}");
    let (_, said) = check(&scratch, &[&file], &["--show-audit"]);
    let line = format!("; exempted by `legacy` until {until}: the vendor tags nothing");
    assert!(
        said.contains("  exempted write a version") && said.contains(&line),
        "{said}"
    );
}

#[test]
fn sarif_says_that_a_result_is_suppressed_and_why() {
    let scratch = Scratch::new();
    let until = from_now(3_600);
    let web = scratch.file("web.yaml", deployment("web", "web"));
    let api = scratch.file("api.yaml", deployment("api", "api"));
    let grant = scratch.file("grant.yaml", exemption(&until));
    let ended = exemption(&from_now(-60)).replace("name: legacy", "name: ended");
    let ended = scratch.file("ended.yaml", ended);
    let files = [web.as_str(), &api, &grant, &ended];
    let (_, text) = check(&scratch, &files, &["--output", "sarif"]);
    crate::reports::valid_sarif(&text);
    let log: Value = serde_json::from_str(&text).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    let of = |code: &str, level: &str| {
        let mut found = results
            .iter()
            .filter(|one| one["ruleId"] == code && one["level"] == level);
        found
            .next()
            .unwrap_or_else(|| panic!("{code} {level}: {log}"))
    };
    let why = format!("the vendor tags nothing (until {until})");
    let suppressed = json!([{"kind": "external", "status": "accepted", "justification": why}]);
    assert_eq!(of("image-latest", "note")["suppressions"], suppressed);
    assert_eq!(of("image-latest", "error")["suppressions"], json!([]));
    let expired = of("exemption-expired", "warning");
    let rules = &log["runs"][0]["tool"]["driver"]["rules"];
    let index = expired["ruleIndex"].as_u64().expect("an index");
    assert_eq!(
        rules[usize::try_from(index).unwrap()]["id"],
        "exemption-expired"
    );
    let (_, text) = check(&scratch, &[&api], &["--output", "sarif"]);
    assert!(!text.contains("suppressions") && !text.contains("exemption-expired"));
}

#[test]
fn a_baseline_does_not_outlive_an_exemption() {
    let scratch = Scratch::new();
    let web = scratch.file("web.yaml", deployment("web", "web"));
    let grant = scratch.file("grant.yaml", exemption(&from_now(3_600)));
    let baseline = scratch.path().join("baseline.json").display().to_string();
    let (code, _) = check(&scratch, &[&web, &grant], &["--write-baseline", &baseline]);
    assert_eq!(code, Some(0));
    let (code, report) = json(&scratch, &[&web], &["--baseline", &baseline]);
    assert_eq!((code, &report["summary"]["denied"]), (Some(1), &json!(1)));
}
