use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portcullis_contract::{Code, Description, Level, reads::Reads};
use serde_json::json;

use super::*;
use crate::policy::Evaluate;
use crate::policy::spec::{API_VERSION, KIND, Resource};

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
        }],
        mutating: false,
        mutating_settings: BTreeSet::new(),
        effects: BTreeSet::new(),
        settings: Value::Null,
    }
}

/// What becomes of the creation of a Pod, where no more is known of its
/// namespace than its name.
fn decide(policy: Policy, known: Known) -> Decision {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
    let admission = crate::review::create(&pod, |_, _| false);
    let attributes = Attributes::parse(&admission).expect("attributes");
    let namespace = crate::review::namespace("default");
    let subject = Subject {
        admission: &admission,
        attributes: &attributes,
        namespace: &namespace,
        known,
    };
    let set = PolicySet::new(vec![policy], BTreeSet::new()).expect("a set");
    let scope = Scope {
        phase: Phase::Validate,
        failure_policy: None,
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    admit(&set, &subject, scope, deadline)
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
