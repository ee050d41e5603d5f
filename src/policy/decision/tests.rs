use super::*;

#[test]
fn warnings_stay_within_what_the_api_server_passes_on() {
    let many = warnings((0..100).map(|n| format!("{n} {}", "é".repeat(300))));
    assert!(many.iter().all(|line| line.len() <= WARNING_BYTES));
    assert!(many.iter().map(String::len).sum::<usize>() <= WARNINGS_BYTES);
    let last = many.last().expect("a last line");
    assert_eq!(
        *last,
        format!(
            "{} more warnings are not shown: run `portcullis check`",
            101 - many.len()
        )
    );
    assert_eq!(warnings(["one".to_owned()].into_iter()), ["one"]);
}

#[test]
fn a_long_warning_keeps_its_place_and_its_code() {
    let finding = portcullis_contract::Finding {
        code: "image-minor-only".into(),
        message: "m".repeat(100),
        remedy: "r".repeat(100),
        path: "/spec/jobTemplate/spec/template/spec/initContainers/0/image".into(),
        container: Some("fetch-bookmarked-media-attachments".into()),
        within: None,
    };
    let judged = Judged {
        policy: "image-tags".parse().expect("a name"),
        finding,
        level: portcullis_contract::Level::Info,
        actions: Actions {
            action: Action::Warn,
            audit: false,
            moves: false,
        },
        guessed: false,
        secret: false,
        exempted: None,
    };
    let [warning] = &warnings([judged.warning()].into_iter())[..] else {
        panic!("one warning");
    };
    assert!(warning.starts_with("rrr") && warning.len() == WARNING_BYTES);
    assert!(warning.ends_with("initContainers[0].image) [image-tags/image-minor-only]"));
}

#[test]
fn control_characters_never_reach_a_terminal() {
    assert_eq!(plain("a\n\u{1b}[31mb\u{202e}c"), "a  [31mb c");
}
