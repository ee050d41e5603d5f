//! What exemptions make of a decision.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::policy::Exemption;
use crate::policy::action::Action;
use crate::policy::exemption::book::Book;

/// An exemption from `bad` of `tried` in the namespace `default`, with these
/// members of the spec.
fn exemption(spec: Value) -> Exemption {
    let mut document = json!({"metadata": {"name": "legacy"}, "spec": {
        "policy": "tried", "codes": ["bad"], "selector": {}, "reason": "r",
        "expires": "2026-06-01T00:00:00Z"}});
    let members = document["spec"].as_object_mut().expect("an object");
    members.extend(spec.as_object().expect("members").clone());
    Exemption::parse(&document).expect("an exemption")
}

fn in_may() -> Timestamp {
    "2026-05-01T00:00:00Z".parse().expect("a time")
}

fn set(policy_spec: Value, exemptions: Vec<Exemption>, clock: fn() -> Timestamp) -> PolicySet {
    let policy = policy(policy_spec, "object.metadata.name");
    let set = PolicySet::new(vec![policy], BTreeSet::new()).expect("a set");
    set.exempting(Arc::new(Book::new(exemptions, clock).into()))
}

fn ask(set: &PolicySet) -> Decision {
    on_a_pod(Known::Whole, |subject, scope, deadline| {
        admit(set, subject, scope, deadline)
    })
}

fn exemptible() -> Value {
    json!({"exemptible": true})
}

#[test]
fn what_is_exempted_is_an_audit_line_with_the_name_of_the_exemption() {
    let decision = ask(&set(exemptible(), vec![exemption(json!({}))], in_may));
    assert!(
        !decision.is_denied() && decision.warnings().is_empty(),
        "{decision:?}"
    );
    let [judged] = &decision.findings[..] else {
        panic!("{decision:?}");
    };
    assert_eq!(judged.actions.action, Action::Audit);
    let by = judged.exempted.as_ref().expect("an exemption");
    assert_eq!(by.path(), "default/legacy");
    let line = decision.audit_annotations()["tried"].clone();
    assert!(line.ends_with("exempted by legacy"), "{line}");
    // Warnings are forgiven, too.
    let warning = json!({"exemptible": true, "validationActions": ["Warn"]});
    let decision = ask(&set(warning, vec![exemption(json!({}))], in_may));
    assert!(decision.warnings().is_empty(), "{decision:?}");
}

#[test]
fn nothing_else_is_forgiven() {
    fn in_june() -> Timestamp {
        "2026-06-01T00:00:00Z".parse().expect("a time")
    }
    let elsewhere = Exemption {
        namespace: "shop".into(),
        ..exemption(json!({}))
    };
    for (why, spec, exemption, clock) in [
        (
            "the owner allows none",
            json!({}),
            exemption(json!({})),
            in_may as fn() -> Timestamp,
        ),
        (
            "it has expired",
            exemptible(),
            exemption(json!({})),
            in_june,
        ),
        (
            "another policy",
            exemptible(),
            exemption(json!({"policy": "other"})),
            in_may,
        ),
        (
            "another code",
            exemptible(),
            exemption(json!({"codes": ["worse"]})),
            in_may,
        ),
        (
            "another object",
            exemptible(),
            exemption(json!({"selector": {"names": ["b"]}})),
            in_may,
        ),
        ("another namespace", exemptible(), elsewhere, in_may),
    ] {
        let decision = ask(&set(spec, vec![exemption], clock));
        assert!(decision.is_denied(), "{why}: {decision:?}");
        assert!(decision.findings[0].exempted.is_none(), "{why}");
    }
}

#[test]
fn a_policy_that_breaks_is_answered_by_its_failure_policy_all_the_same() {
    let mut broken = policy(exemptible(), "object.metadata.name");
    let failure = Failure::host(Cause::Program, "it is gone");
    broken.program = Err(failure);
    let set = PolicySet::new(vec![broken], BTreeSet::new()).expect("a set");
    let book = Book::new([exemption(json!({}))], in_may);
    assert!(ask(&set.exempting(Arc::new(book.into()))).is_denied());
}

#[test]
fn a_namespace_is_not_exempted_by_what_lies_in_it() {
    let rules = json!([{"apiGroups": [""], "apiVersions": ["*"], "resources": ["namespaces"],
        "operations": ["*"]}]);
    let spec = json!({"exemptible": true, "matchConstraints": {"resourceRules": rules}});
    let set = set(spec, vec![exemption(json!({}))], in_may);
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}});
    let admission = crate::review::create(&object, |_, _| true);
    let attributes = Attributes::parse(&admission).expect("attributes");
    let subject = Subject {
        admission: &admission,
        attributes: &attributes,
        namespace: &Value::Null,
        known: Known::Whole,
        others: None,
    };
    let scope = Scope {
        phase: Phase::Validate,
        failure_policy: None,
        moving: false,
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    assert!(admit(&set, &subject, scope, deadline).is_denied());
}

/// Finds the same in everything, so that it may be remembered.
struct Remembered;

impl Evaluate for Remembered {
    fn judge(&self, _: Asked<'_>, _: Instant) -> Result<Verdict, Failure> {
        Ok(Verdict {
            findings: vec![finding()],
            ..Verdict::default()
        })
    }

    fn identity(&self) -> Option<[u8; 32]> {
        Some([2; 32])
    }
}

#[test]
fn an_exemption_ends_at_its_time_though_the_verdict_is_remembered() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    fn told() -> Timestamp {
        Timestamp::from_second(NOW.load(Ordering::Relaxed)).expect("a time")
    }
    let end = "2026-06-01T00:00:00Z"
        .parse::<Timestamp>()
        .expect("a time")
        .as_second();
    let hits = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&hits);
    let tell = move |known: bool| *seen.lock().expect("unharmed") += u32::from(known);
    let verdicts = Arc::new(Verdicts::new(1 << 20, tell));
    let mut tried = policy(exemptible(), "object.metadata.name");
    tried.program.as_mut().expect("ready").program = Arc::new(Remembered);
    let set = PolicySet::new(vec![remember(tried, &verdicts)], BTreeSet::new()).expect("a set");
    let set = set.exempting(Arc::new(Book::new([exemption(json!({}))], told).into()));
    NOW.store(end - 1, Ordering::Relaxed);
    assert!(!ask(&set).is_denied());
    assert!(!ask(&set).is_denied());
    NOW.store(end, Ordering::Relaxed);
    assert!(ask(&set).is_denied());
    assert_eq!(*hits.lock().expect("unharmed"), 2, "remembered each time");
    // And where nobody is waited for.
    let decision = on_a_pod(Known::Whole, |subject, scope, deadline| {
        at_once(&set, subject, scope, deadline)
    });
    assert!(decision.expect("known at once").is_denied());
}

#[test]
fn exemptions_come_and_go_without_another_set() {
    let set = set(exemptible(), vec![], in_may);
    assert!(ask(&set).is_denied());
    assert!(
        set.exemptions()
            .store(Book::new([exemption(json!({}))], in_may))
    );
    assert!(!ask(&set).is_denied());
    assert!(
        !set.exemptions()
            .store(Book::new([exemption(json!({}))], in_may))
    );
    assert!(set.exemptions().store(Book::default()));
    assert!(ask(&set).is_denied());
}

#[test]
fn a_withdrawn_permission_is_not_gone_on_with() {
    let good = policy(exemptible(), "object.metadata.name");
    let mut broken = policy(json!({}), "object.metadata.name");
    broken.program = Err(Failure::host(Cause::Program, "it does not load"));
    let set = PolicySet::new(vec![broken], BTreeSet::new()).expect("a set");
    let set = set.or_last_good(|_| Some(&good));
    let policy = set.get("tried").expect("the policy");
    assert!(policy.program.is_ok() && !policy.spec.exemptible);
}
