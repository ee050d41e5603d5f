use super::*;

fn denied(codes: &[&str]) -> Expected {
    Expected::Denied(codes.iter().map(ToString::to_string).collect())
}

#[test]
fn errors_are_told_apart_by_who_refused() {
    let ours = "admission webhook \"fail.validate.portcullis.dev\" denied the request: a\n[b/c]";
    assert!(matches!(refusal(ours), Answer::Denied(text) if !text.contains('\n')));
    let dead = "failed calling webhook \"fail.validate.portcullis.dev\": EOF";
    assert!(matches!(refusal(dead), Answer::Unanswered(_)));
    for other in [
        "admission webhook \"validate.kyverno.svc\" denied the request: x",
        "failed calling webhook \"validate.kyverno.svc\": EOF",
        "pods is forbidden: User \"dev\" cannot create resource",
        "",
    ] {
        assert!(matches!(refusal(other), Answer::Refused(_)), "{other}");
    }
}

/// What is said of such an answer, of which nothing else came back.
fn assert_judged(
    verdict: Verdict,
    cases: impl IntoIterator<Item = (Expected, Answer, Option<&'static str>, &'static str)>,
) {
    for (expected, answer, away, text) in cases {
        let line = judge("Pod p".into(), &expected, &answer, away);
        assert_eq!(line.verdict, verdict, "{line:?}");
        assert!(line.message.contains(text), "{line:?}");
        let code = match verdict {
            Verdict::AsExpected => 0,
            Verdict::Wrong => 1,
            Verdict::NotTried => 2,
        };
        assert_eq!(exit_code(&[line]), code);
    }
}

fn by_us(message: &str) -> Answer {
    Answer::Denied(message.into())
}

#[test]
fn what_comes_back_as_policies_say_is_well() {
    let latest = denied(&["tags/latest"]);
    let refused = by_us("x [tags/latest] y");
    let cases = [
        (Expected::Allowed, Answer::Allowed, None, "allowed"),
        (latest, refused, None, "denied (tags/latest)"),
    ];
    assert_judged(Verdict::AsExpected, cases);
}

#[test]
fn what_comes_back_otherwise_is_wrong() {
    let latest = || denied(&["tags/latest"]);
    let dead = || Answer::Unanswered("EOF".into());
    let refused = by_us("x [tags/latest] y");
    let other = by_us("x [probes/none] y");
    let away = Some("paused by jane");
    let denies = "the policies in force deny it (tags/latest)";
    let nothing = "nothing is registered (paused by jane)";
    let cases = [
        (
            Expected::Allowed,
            refused,
            None,
            "though no policy in force",
        ),
        (latest(), other, None, "another reason than tags/latest"),
        (latest(), Answer::Allowed, None, denies),
        (latest(), Answer::Allowed, away, nothing),
        (latest(), dead(), None, "no replica answered: EOF"),
        (Expected::Allowed, dead(), None, "no replica answered: EOF"),
    ];
    assert_judged(Verdict::Wrong, cases);
}

#[test]
fn what_others_refuse_or_policies_break_on_is_not_tried() {
    let theirs = Answer::Refused("forbidden".into());
    let broken = Expected::Unknown("policy p breaks".into());
    let by_others = "refused by somebody else: forbidden";
    let cases = [
        (denied(&["tags/latest"]), theirs, None, by_others),
        (broken, Answer::Allowed, None, "policy p breaks"),
    ];
    assert_judged(Verdict::NotTried, cases);
}

#[test]
fn lines_are_printed_for_people_and_as_json() {
    let line = judge("Pod p".into(), &Expected::Allowed, &Answer::Allowed, None);
    assert_eq!(human(std::slice::from_ref(&line)), "ok Pod p: allowed\n");
    let document: Value = serde_json::from_str(&json(&[line])).expect("JSON");
    assert_eq!(document["lines"][0]["verdict"], "as-expected");
}
