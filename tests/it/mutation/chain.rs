//! Several mutating policies on one request: their order, their one patch.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use portcullis::admit::{Known, Phase, Scope, Subject, admit};
use portcullis::policy::{Attributes, Decision, Failure, FailurePolicy, Policy, PolicySet, Ready};
use portcullis::review;
use portcullis_contract::reads::Reads;
use portcullis_contract::{Changes, PatchOperation, Redaction, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::values::value;
use super::{hold, second_raw};

/// What a policy makes of an object.
type Step = fn(&Value) -> Changes;

/// In the order in which they must run, which is not that of the set.
const STEPS: [(&str, Step); 4] = [
    ("a-label", label),
    ("b-limits", limits),
    ("c-sidecar", sidecar),
    ("d-count", count),
];

/// By a patch that makes what it needs.
fn label(pod: &Value) -> Changes {
    let add = |path: &str, value: Value| PatchOperation::Add {
        path: path.into(),
        value,
    };
    let patch = match pod.pointer("/metadata/labels") {
        None => vec![add("/metadata/labels", json!({"mesh": "on"}))],
        Some(labels) if labels["mesh"] != "on" => vec![add("/metadata/labels/mesh", json!("on"))],
        Some(_) => Vec::new(),
    };
    Changes {
        patch,
        ..Changes::default()
    }
}

/// By the whole object.
fn limits(pod: &Value) -> Changes {
    let mut pod = pod.clone();
    for container in pod["spec"]["containers"]
        .as_array_mut()
        .expect("containers")
    {
        if container.get("resources").is_none() {
            container["resources"] = json!({"limits": {"memory": "1Gi"}});
        }
    }
    Changes {
        object: Some(pod),
        ..Changes::default()
    }
}

/// Only with the label of the first.
fn sidecar(pod: &Value) -> Changes {
    let containers = pod["spec"]["containers"].as_array().expect("containers");
    let is_there = containers
        .iter()
        .any(|container| container["name"] == "proxy");
    if is_there || pod["metadata"]["labels"]["mesh"] != "on" {
        return Changes::default();
    }
    let value = json!({"name": "proxy", "image": "proxy:1.0.0", "weight": 0.1, "resources": {}});
    let path = "/spec/containers/0".into();
    Changes {
        patch: vec![PatchOperation::Add { path, value }],
        ..Changes::default()
    }
}

/// How many containers there are in the end.
fn count(pod: &Value) -> Changes {
    let mut pod = pod.clone();
    let count = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    pod["metadata"]["annotations"]["containers"] = json!(count.to_string());
    Changes {
        object: Some(pod),
        ..Changes::default()
    }
}

/// A patch that does not apply.
fn broken(_: &Value) -> Changes {
    let path = "/spec/absent".into();
    Changes {
        patch: vec![PatchOperation::Remove { path }],
        ..Changes::default()
    }
}

/// A patch that changes which object it is.
fn renaming(_: &Value) -> Changes {
    let path = "/metadata/name".into();
    let value = json!("other");
    Changes {
        patch: vec![PatchOperation::Replace { path, value }],
        ..Changes::default()
    }
}

/// Who was asked.
type Asked = Arc<Mutex<Vec<String>>>;

fn policy(name: &str, step: Step, failure_policy: &str, asked: &Asked) -> Policy {
    let description = json!({
        "interface": "0.1.0", "name": name, "version": "1.0.0", "summary": "s", "mutating": true,
        "matches": {"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"],
            "resources": ["*"], "operations": ["*"]}]},
        "reads": ["object"], "codes": [], "settings": {},
    });
    let (own, asked) = (name.to_owned(), Arc::clone(asked));
    let program = move |request: &str, _: Instant| -> Result<Verdict, Failure> {
        asked.lock().expect("unharmed").push(own.clone());
        let request: Value = serde_json::from_str(request).expect("a request");
        Ok(Verdict {
            changes: Some(step(&request["object"])),
            ..Verdict::default()
        })
    };
    Policy {
        name: name.parse().expect("a name"),
        spec: serde_json::from_value(
            json!({"program": {"file": "x"}, "failurePolicy": failure_policy}),
        )
        .expect("a spec"),
        description: Some(Arc::new(
            serde_json::from_value(description).expect("a description"),
        )),
        program: Ok(Ready {
            reads: Arc::new(Reads::parse(["object"]).expect("reads")),
            redaction: Redaction::None,
            sight: Arc::default(),
            program: Arc::new(program),
        }),
    }
}

/// A chain of policies, and who of them was asked.
struct Chain {
    set: PolicySet,
    asked: Asked,
}

impl Chain {
    /// The four, last first, and one more.
    fn new(more: Option<(&str, Step, &str)>) -> Chain {
        let asked = Asked::default();
        let four = STEPS
            .iter()
            .rev()
            .map(|(name, step)| (*name, *step, "Fail"));
        let policies = four
            .chain(more)
            .map(|(name, step, fails)| policy(name, step, fails, &asked));
        let set = PolicySet::new(policies.collect(), BTreeSet::new()).expect("a set");
        Chain { set, asked }
    }

    /// The decision of the mutating half, and the answer as it is sent.
    fn run(&self, pod: &Value) -> (Decision, Value) {
        self.asked.lock().expect("unharmed").clear();
        let admission = review::create(pod, |_, _| false);
        let attributes = Attributes::parse(&admission).expect("attributes");
        let subject = Subject {
            admission: &admission,
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
        let deadline = Instant::now() + Duration::from_secs(10);
        let decision = admit(&self.set, &subject, scope, deadline);
        let answer = review::encode("u", &decision);
        (decision, serde_json::from_slice(&answer).expect("JSON"))
    }
}

/// The object that the API server makes of an answer: with no code of ours.
fn received(pod: &Value, answer: &Value) -> Result<Value, String> {
    let response = &answer["response"];
    assert_eq!(response["allowed"], true, "{answer}");
    let Some(patch) = response["patch"].as_str() else {
        return Ok(pod.clone());
    };
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = base64::engine::general_purpose::STANDARD
        .decode(patch)
        .expect("base64");
    second_raw(pod, &serde_json::from_slice(&patch).expect("one patch"))
}

/// What the steps are meant to make of a pod, without patches.
fn intended(pod: &Value) -> Value {
    let mut pod = pod.clone();
    pod["metadata"]["labels"]["mesh"] = json!("on");
    let containers = pod["spec"]["containers"]
        .as_array_mut()
        .expect("containers");
    for container in containers.iter_mut() {
        let container = container.as_object_mut().expect("a container");
        container
            .entry("resources")
            .or_insert(json!({"limits": {"memory": "1Gi"}}));
    }
    if !containers
        .iter()
        .any(|container| container["name"] == "proxy")
    {
        containers.insert(
            0,
            json!({"name": "proxy", "image": "proxy:1.0.0", "weight": 0.1, "resources": {}}),
        );
    }
    let count = containers.len().to_string();
    pod["metadata"]["annotations"]["containers"] = json!(count);
    pod
}

/// Pods with members of any kind beside those that the steps know.
fn pod() -> impl Strategy<Value = Value> {
    let name = proptest::sample::select(&["web", "db", "proxy", "job"][..]);
    let container = (name, value(), any::<bool>()).prop_map(|(name, extra, limited)| {
        let mut container = json!({"name": name, "extra": extra});
        if limited {
            container["resources"] = json!({});
        }
        container
    });
    let labels = proptest::option::of(proptest::sample::select(&["on", "off"][..]));
    (vec(container, 0..4), labels, value()).prop_map(|(containers, label, extra)| {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "extra": extra},
            "spec": {"containers": containers, "extra": extra}});
        if let Some(label) = label {
            pod["metadata"]["labels"] = json!({"mesh": label, "app": "a/b~c"});
        }
        pod
    })
}

#[test]
fn policies_run_by_name_and_answer_with_one_patch_that_gives_the_intended_pod() {
    let chain = Chain::new(None);
    hold(5, &pod(), |pod| {
        let (decision, answer) = chain.run(&pod);
        let order: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        prop_assert_eq!(&*chain.asked.lock().expect("unharmed"), &order);
        prop_assert!(decision.failures.is_empty());
        let result = received(&pod, &answer);
        prop_assert_eq!(&result, &Ok(intended(&pod)));
        prop_assert_eq!(
            &result.as_ref().expect("compared")["spec"]["extra"].to_string(),
            &pod["spec"]["extra"].to_string()
        );
        prop_assert_eq!(
            answer["response"].get("patch").is_some(),
            intended(&pod) != pod
        );
        Ok(())
    });
}

#[test]
fn what_they_made_is_left_alone_by_a_second_run() {
    let chain = Chain::new(None);
    hold(5, &pod(), |pod| {
        let result = received(&pod, &chain.run(&pod).1).expect("it applies");
        let (decision, answer) = chain.run(&result);
        prop_assert_eq!(&decision.patch, &[]);
        prop_assert!(decision.changed_by.is_empty());
        prop_assert!(answer["response"].get("patch").is_none());
        Ok(())
    });
}

#[test]
fn a_patch_that_does_not_apply_is_a_failure_of_its_policy_alone() {
    for (step, part) in [
        (broken as Step, "`/spec/absent` is not there to be removed"),
        (renaming, "`/metadata/name` identifies the object"),
    ] {
        let chain = Chain::new(Some(("b-broken", step, "Ignore")));
        hold(50, &pod(), |pod| {
            let (decision, answer) = chain.run(&pod);
            prop_assert_eq!(decision.failures.len(), 1);
            prop_assert_eq!(decision.failures[0].policy.as_str(), "b-broken");
            prop_assert_eq!(decision.failures[0].failure_policy, FailurePolicy::Ignore);
            prop_assert_eq!(received(&pod, &answer), Ok(intended(&pod)));
            let warning = answer["response"]["warnings"][0]
                .as_str()
                .unwrap_or_default();
            prop_assert!(
                warning.contains("`b-broken`") && warning.contains(part),
                "{}",
                warning
            );
            Ok(())
        });
    }
}

#[test]
fn under_fail_it_refuses_the_request_and_nothing_is_changed() {
    let chain = Chain::new(Some(("b-broken", broken, "Fail")));
    hold(50, &pod(), |pod| {
        let response = chain.run(&pod).1["response"].take();
        prop_assert_eq!(&response["allowed"], &json!(false));
        prop_assert!(response.get("patch").is_none());
        let message = response["status"]["message"].as_str().unwrap_or_default();
        prop_assert!(
            message.contains("`b-broken`") && message.contains("`/spec/absent`"),
            "{}",
            message
        );
        Ok(())
    });
}
