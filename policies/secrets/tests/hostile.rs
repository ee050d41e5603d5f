//! No text takes longer than its length says, and none breaks the search.

use std::time::Duration;

use cpu_time::ThreadTime;
use portcullis_secrets::Confidence::Medium;
use portcullis_secrets::{Detector, Options, Pattern};

const MIB: usize = 1 << 20;

fn detector() -> Detector {
    Detector::new(&Options::default()).expect("a detector")
}

/// Texts that make a careless search go over the same bytes again and again.
fn texts() -> Vec<(String, String)> {
    let repeated = [
        "password",
        "password=",
        "password=required",
        "a@tcp(",
        "a:required@tcp(",
        "a:required@(b)/",
        "<property name=\"password\">",
        "password: ",
        "password:\n",
        "password:\n  ",
        " password",
        "\"password\"",
        "\"password\":",
        "\\\"password\\\":\\\"",
        "key-",
        "key.",
        "_key_",
        "token: [",
        "secret: {",
        "secrets:\n- ",
        "name: password\n",
        "name=\"password\" ",
        "<password>",
        "<password ",
        "</password>",
        "://",
        "://a:b@",
        "a://b:",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n",
        "eyJ",
        "-eyJ",
        "-eyJ.eyJ",
        "ghp_",
        "-ghp_",
        "glc_",
        "xoxb-1-",
        "$2a$",
        "$2a$10$",
        "Bearer ",
        "Basic ",
        "Basic YTpi",
        "identified by '",
        "IDENTIFIED ",
        "mysql -p",
        "curl -u a:",
        "\"kty\"",
        "Private-Lines: 1\n",
        "# password: x",
        " # ",
        "#",
        "\\n",
        "\\",
        "\"",
        "'",
        "[",
        "{",
        "(",
        "  ",
        "\n",
        "\t",
        "a",
        "0",
        "=",
        "é",
        "\u{1}",
        "YWJjZGVm",
        "cGFzc3dvcmQ9aHVudGVyMjIy\n",
        "sk-",
        "AKIA",
        "hooks.slack.com/services/",
        ":AA",
        "Q~",
        "- value: x\n",
        "password = {{ x }} ",
        "password: |\n  x\n",
        "password: >\n",
        "apikey",
        "passwordpassword=",
        "secret: a8F3k9Q2m7X1 ",
    ];
    let mut texts: Vec<(String, String)> = repeated
        .iter()
        .map(|part| {
            (
                format!("{part:?} again and again"),
                part.repeat(MIB / part.len()),
            )
        })
        .collect();
    let all = repeated.concat();
    texts.push(("all of them in turns".into(), all.repeat(MIB / all.len())));
    let lines = repeated.join("\n");
    texts.push((
        "all of them in lines".into(),
        lines.repeat(MIB / lines.len()),
    ));
    let deep: String = (0..1400)
        .map(|depth| format!("{}secrets:\n", " ".repeat(depth)))
        .collect();
    texts.push(("deep nesting of blocks".into(), deep));
    texts.push((
        "deep nesting of maps".into(),
        "{\"secrets\":".repeat(MIB / 11),
    ));
    texts.push((
        "an open quote".into(),
        format!("password: \"{}", "x".repeat(MIB)),
    ));
    texts.push((
        "one long value".into(),
        format!("password: {}", "a8F3k9".repeat(MIB / 6)),
    ));
    texts
}

/// Time of this thread alone, without optimization: what is not linear takes minutes.
const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn a_mebibyte_of_anything_is_searched_in_linear_time() {
    let detector = detector();
    for (name, text) in texts() {
        let start = ThreadTime::now();
        let found = detector.entry("file", &text);
        let took = start.elapsed();
        assert!(found.len() <= 101, "{name}: {} findings", found.len());
        assert!(took < LIMIT, "{name}: {took:?}");
        println!("{took:>12.2?} {name}");
    }
}

#[test]
fn four_times_the_text_takes_about_four_times_the_time() {
    let detector = detector();
    for (name, text) in texts() {
        // Cut at characters.
        let cut = |at: usize| {
            let is_end = |at: &usize| text.is_char_boundary(*at);
            (at..).find(is_end).expect("an end")
        };
        let (text, middle) = (&text[..cut(text.len() / 2)], cut(text.len() / 8));
        let time = |text: &str| {
            let start = ThreadTime::now();
            detector.entry("file", text);
            start.elapsed()
        };
        let quarter = (0..3).map(|_| time(&text[..middle])).min().expect("a time");
        let whole = (0..3).map(|_| time(text)).min().expect("a time");
        // 4 times, and room for caches, the machine, and a text that is base64 only at
        // one of these lengths; quadratic would be 16.
        let most = quarter * 9 + Duration::from_millis(60);
        assert!(whole < most, "{name}: {quarter:?}, then {whole:?}");
    }
}

#[test]
fn patterns_of_the_settings_are_as_quick() {
    let pattern = |regex: &str| Pattern {
        name: "x".into(),
        regex: regex.into(),
        confidence: Medium,
    };
    let options = Options {
        patterns: vec![
            pattern("(a|aa|aaa)+b"),
            pattern("[a-z]+[0-9]+[a-z]+!"),
            pattern("acme_[0-9a-f]{32}"),
        ],
        ..Options::default()
    };
    let detector = Detector::new(&options).expect("a detector");
    for part in ["a", "a1", "acme_", "ab"] {
        let start = ThreadTime::now();
        let text = part.repeat(MIB / part.len());
        detector.entry("file", &text);
        assert!(start.elapsed() < LIMIT, "{part}: {:?}", start.elapsed());
    }
}
