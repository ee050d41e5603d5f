use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_contract::reads::Reads;
use portcullis_contract::{Code, Description, Finding, Level, Redaction, Verdict};
use serde_json::json;

use super::admission::{MATCH, OVERRIDES, READS};
use super::verdicts::{Verdicts, remember};
use super::*;
use crate::policy::spec::{API_VERSION, KIND, Resource};
use crate::policy::{Asked, Cause, Evaluate, Ready};

/// A policy that finds `bad` in everything, of these members of a spec.
fn policy(spec: Value, reads: &str) -> Policy {
    let mut document = json!({"apiVersion": API_VERSION, "kind": KIND,
        "metadata": {"name": "tried"}, "spec": {"program": {"builtin": "p"}}});
    let members = document["spec"].as_object_mut().expect("an object");
    members.extend(spec.as_object().expect("members").clone());
    let Resource { name, spec } = Resource::parse(&document).expect("a policy");
    let program = |_: &str, _: Instant| {
        Ok(Verdict {
            findings: vec![finding()],
            ..Verdict::default()
        })
    };
    let program: Arc<dyn Evaluate> = Arc::new(program);
    Policy {
        name,
        spec,
        description: Some(Arc::new(description())),
        program: Ok(Ready {
            reads: Arc::new(Reads::parse([reads]).expect("reads")),
            redaction: Redaction::Blank,
            sight: Arc::default(),
            program,
        }),
    }
}

fn finding() -> Finding {
    Finding {
        code: "bad".into(),
        message: "it is bad".into(),
        remedy: "mend it".into(),
        path: "/spec".into(),
        container: None,
        within: None,
    }
}

fn description() -> Description {
    Description {
        interface: "0.1.0".into(),
        name: "p".into(),
        version: "1.0.0".into(),
        summary: String::new(),
        documentation: String::new(),
        matches: MatchConstraints::workloads(),
        reads: BTreeSet::new(),
        codes: vec![Code {
            code: "bad".into(),
            level: Level::Error,
            meaning: String::new(),
            secret: false,
        }],
        mutating: false,
        mutating_settings: BTreeSet::new(),
        offline: false,
        needs_values: false,
        effects: BTreeSet::new(),
        lookups: vec![],
        settings: Value::Null,
    }
}

/// What becomes of the creation of a Pod, where no more is known of its
/// namespace than its name.
fn decide(policy: Policy, known: Known) -> Decision {
    let set = PolicySet::new(vec![policy], BTreeSet::new()).expect("a set");
    on_a_pod(known, |subject, scope, deadline| {
        admit(&set, subject, scope, deadline)
    })
}

fn on_a_pod<T>(known: Known, ask: impl FnOnce(&Subject<'_>, Scope, Instant) -> T) -> T {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
    let admission = crate::review::create(&pod, |_, _| false);
    let attributes = Attributes::parse(&admission).expect("attributes");
    let namespace = crate::review::namespace("default");
    let subject = Subject {
        admission: &admission,
        attributes: &attributes,
        namespace: &namespace,
        known,
        others: None,
    };
    let scope = Scope {
        phase: Phase::Validate,
        failure_policy: None,
        moving: false,
    };
    ask(&subject, scope, Instant::now() + Duration::from_secs(10))
}

fn selector() -> Value {
    json!({"matchLabels": {"env": "dev"}})
}

#[test]
fn what_hangs_on_a_namespace_that_the_cluster_did_not_tell_fails() {
    let rules = json!(MatchConstraints::workloads().resource_rules);
    let matching = json!({"matchConstraints": {"resourceRules": rules,
        "namespaceSelector": selector()}});
    let overriding = json!({"overrides": [{"validationActions": ["Audit"],
        "namespaceSelector": selector()}]});
    for (spec, reads, says) in [
        (matching, "object.metadata.name", MATCH),
        (overriding, "object.metadata.name", OVERRIDES),
        (json!({}), "namespaceObject.metadata.labels", READS),
    ] {
        let decision = decide(policy(spec.clone(), reads), Known::Lost);
        assert!(decision.is_denied(), "{says}");
        let [broken] = &decision.failures[..] else {
            panic!("{says}: {decision:?}");
        };
        assert_eq!(broken.failure.cause, Cause::Lookup);
        assert!(broken.failure.message.starts_with(says), "{broken:?}");
        // With nobody to ask it is judged as well as can be.
        let decision = decide(policy(spec, reads), Known::InPart);
        assert!(decision.failures.is_empty(), "{says}: {decision:?}");
        assert_eq!(decision.findings.len(), 1, "{says}");
    }
}

#[test]
fn what_hangs_on_the_name_alone_is_judged() {
    let by_name = json!({"matchLabels": {"kubernetes.io/metadata.name": "default"}});
    let rules = json!(MatchConstraints::workloads().resource_rules);
    let spec = json!({"matchConstraints": {"resourceRules": rules, "namespaceSelector": by_name}});
    let decision = decide(policy(spec, "object.metadata.name"), Known::Lost);
    assert!(decision.failures.is_empty(), "{decision:?}");
    assert_eq!(decision.findings.len(), 1);
}

#[test]
fn what_is_for_files_only_is_asked_of_files_only() {
    let mut offline = policy(json!({}), "object.metadata.name");
    let description = Arc::make_mut(offline.description.as_mut().expect("a description"));
    description.offline = true;
    let set = PolicySet::new(vec![offline], BTreeSet::new()).expect("a set");
    let ask = |set: &PolicySet| {
        on_a_pod(Known::Whole, |subject, scope, deadline| {
            let failure = Failure::host(Cause::Overload, "busy");
            let refused = refuse(set, subject, scope, &failure).failures.len();
            (admit(set, subject, scope, deadline).findings.len(), refused)
        })
    };
    assert_eq!(ask(&set), (0, 0));
    assert_eq!(ask(&set.for_files()), (1, 1));
}

/// Always says the same, so that it may be remembered.
struct Constant;

impl Evaluate for Constant {
    fn judge(&self, _: Asked<'_>, _: Instant) -> Result<Verdict, Failure> {
        Ok(Verdict::default())
    }

    fn identity(&self) -> Option<[u8; 32]> {
        Some([1; 32])
    }
}

#[test]
fn a_known_verdict_is_looked_up_once_though_another_policy_has_to_be_waited_for() {
    let lookups = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lookups);
    let tell = move |known| seen.lock().expect("unharmed").push(known);
    let verdicts = Arc::new(Verdicts::new(1 << 20, tell));
    let mut known = policy(json!({}), "object.metadata.name");
    known.name = "known".parse().expect("a name");
    known.program.as_mut().expect("ready").program = Arc::new(Constant);
    let waited = policy(json!({}), "object.metadata.name");
    let policies = vec![remember(known, &verdicts), waited];
    let set = PolicySet::new(policies, BTreeSet::new()).expect("a set");
    let ask = || {
        on_a_pod(Known::Whole, |subject, scope, deadline| {
            let answers = at_once(&set, subject, scope, deadline).expect_err("one is waited for");
            go_on(&set, subject, scope, deadline, answers)
        })
    };
    for _ in 0..3 {
        let decision = ask();
        assert_eq!(decision.evaluations.len(), 2, "{decision:?}");
        assert_eq!(decision.findings.len(), 1, "{decision:?}");
    }
    assert_eq!(*lookups.lock().expect("unharmed"), [false, true, true]);
}

mod exempting;
