//! Changes that no guest may make.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::admit::{Known, Phase, Scope, Subject, admit};
use portcullis::load::ready;
use portcullis::policy::spec::{API_VERSION, KIND, Resource};
use portcullis::policy::{Attributes, Cause, Decision, Policy, PolicySet};
use serde_json::{Value, json};

use super::answers::says;
use super::load;

/// What a mutating policy that answers thus makes of a Pod.
fn mutate(verdict: &Value) -> Decision {
    let guest = says(verdict).described(|description| description["mutating"] = json!(true));
    let loaded = load(&guest).expect("it loads");
    let description = Arc::clone(loaded.description());
    let document = json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "hostile"},
        "spec": {"program": {"file": "hostile.wasm"}}});
    let resource = Resource::parse(&document).expect("a policy");
    let policy = Policy {
        name: resource.name,
        program: ready(&loaded, &description, &resource.spec),
        spec: resource.spec,
        description: Some(description),
    };
    let set = PolicySet::new(vec![policy], BTreeSet::new()).expect("one policy");
    let review: Value =
        serde_json::from_str(include_str!("../../data/reviews/pod-create-bare.json"))
            .expect("a review");
    let admission = review["request"].as_object().expect("a request");
    let attributes = Attributes::parse(admission).expect("attributes");
    let subject = Subject {
        admission,
        attributes: &attributes,
        namespace: &Value::Null,
        known: Known::InPart,
        others: None,
    };
    let scope = Scope {
        phase: Phase::Mutate,
        failure_policy: None,
        moving: false,
    };
    admit(
        &set,
        &subject,
        scope,
        Instant::now() + Duration::from_secs(5),
    )
}

#[test]
fn patches_outside_the_object_or_of_what_identifies_it_change_nothing() {
    let replace = |path: &str| json!({"op": "replace", "path": path, "value": "x"});
    let add = |path: &str| json!({"op": "add", "path": path, "value": "x"});
    for operation in [
        replace("/metadata/uid"),
        add("/metadata/uid"),
        replace("/kind"),
        replace("/apiVersion"),
        replace("/metadata/name"),
        replace("/metadata/namespace"),
        add("/metadata/deletionTimestamp"),
        replace("/nowhere/deep"),
        add("/spec/containers/99"),
        add("/spec/containers/-1"),
        replace("/spec/containers/-"),
        replace("../spec"),
        replace(""),
        json!({"op": "remove", "path": ""}),
        json!({"op": "remove", "path": "/metadata"}),
        json!({"op": "test", "path": "/kind", "value": "Secret"}),
    ] {
        // A change that is allowed comes first: it is not made either.
        let allowed = json!({"op": "add", "path": "/spec/hostname", "value": "x"});
        let decision = mutate(&json!({"changes": {"patch": [allowed, operation]}}));
        let failure = &decision
            .failures
            .first()
            .unwrap_or_else(|| panic!("{operation}"))
            .failure;
        assert_eq!(failure.cause, Cause::Patch, "{operation}: {failure}");
        assert!(decision.patch.is_empty(), "{operation}");
        assert!(decision.is_denied(), "{operation}");
    }
    let whole = mutate(&json!({"changes": {"object": {"kind": "Secret"}}}));
    assert_eq!(whole.failures[0].failure.cause, Cause::Patch);
    assert!(whole.patch.is_empty());
    let good = mutate(&json!({"changes": {"patch": [add("/spec/hostname")]}}));
    assert_eq!((good.failures.len(), good.patch.len()), (0, 1));
}
