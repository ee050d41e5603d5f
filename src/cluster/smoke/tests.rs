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

#[test]
fn each_answer_is_compared_with_what_policies_say() {
    let codes = denied(&["tags/latest"]);
    let refused = Answer::Denied("x [tags/latest] y".into());
    let other = Answer::Denied("x [probes/none] y".into());
    let dead = Answer::Unanswered("EOF".into());
    let theirs = Answer::Refused("forbidden".into());
    let broken = Expected::Unknown("policy p breaks".into());
    for (expected, answer, away, verdict, text) in [
        (
            &Expected::Allowed,
            &Answer::Allowed,
            None,
            Verdict::AsExpected,
            "allowed",
        ),
        (
            &codes,
            &refused,
            None,
            Verdict::AsExpected,
            "denied (tags/latest)",
        ),
        (
            &Expected::Allowed,
            &refused,
            None,
            Verdict::Wrong,
            "though no policy in force",
        ),
        (
            &codes,
            &other,
            None,
            Verdict::Wrong,
            "another reason than tags/latest",
        ),
        (
            &codes,
            &Answer::Allowed,
            None,
            Verdict::Wrong,
            "the policies in force deny it (tags/latest)",
        ),
        (
            &codes,
            &Answer::Allowed,
            Some("paused by jane"),
            Verdict::Wrong,
            "nothing is registered (paused by jane)",
        ),
        (
            &codes,
            &dead,
            None,
            Verdict::Wrong,
            "no replica answered: EOF",
        ),
        (
            &Expected::Allowed,
            &dead,
            None,
            Verdict::Wrong,
            "no replica answered: EOF",
        ),
        (
            &codes,
            &theirs,
            None,
            Verdict::NotTried,
            "refused by somebody else: forbidden",
        ),
        (
            &broken,
            &Answer::Allowed,
            None,
            Verdict::NotTried,
            "policy p breaks",
        ),
    ] {
        let line = judge("Pod p".into(), expected, answer, away);
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

#[test]
fn lines_are_printed_for_people_and_as_json() {
    let line = judge("Pod p".into(), &Expected::Allowed, &Answer::Allowed, None);
    assert_eq!(human(std::slice::from_ref(&line)), "ok Pod p: allowed\n");
    let document: Value = serde_json::from_str(&json(&[line])).expect("JSON");
    assert_eq!(document["lines"][0]["verdict"], "as-expected");
}
