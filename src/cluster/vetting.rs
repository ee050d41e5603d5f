//! Policies are tried out when they are created or changed, so that whoever
//! writes a bad one is told at once.
//!
//! The entry of a registration that calls this is fail-open: what cannot be
//! tried in time is let through, and the controller finds out.

use std::sync::Arc;
use std::time::Instant;

use kube::Client;
use portcullis_contract::Operation;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::crd;
use super::gather;
use super::object;
use super::programs::Missing;
use crate::load;
use crate::pack::Pack;
use crate::review::Request;
use crate::source::Found;
use crate::wasm::Engine;
use crate::webhook::surroundings::Vetted;

pub use crate::server::POLICIES_PATH as PATH;

/// How many are tried at once: compiling takes a core and up to 2 GiB each.
const AT_ONCE: usize = 2;

/// Tries out policies.
pub struct Vetting {
    client: Client,
    pack: Pack,
    engine: Arc<Engine>,
    turns: Arc<Semaphore>,
}

impl Vetting {
    /// With the engine that policies will run on.
    pub fn new(client: Client, pack: Pack, engine: Arc<Engine>) -> Vetting {
        Vetting {
            client,
            pack,
            engine,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Tries out the policy of a request, until `until`.
    pub async fn vet(&self, request: &Request, until: Instant) -> Vetted {
        let Some(spec) = changed_spec(request, crd::PLURAL) else {
            return Vetted::Good;
        };
        let name = match request.attributes.name.as_str() {
            // It is yet to be made of `generateName`.
            "" => "unnamed",
            name => name,
        };
        let found = match object::parse(name, spec) {
            Ok(resource) => Found {
                resource,
                folder: None,
                place: format!("WasmPolicy {name}"),
            },
            Err(failure) => return Vetted::Bad(failure.message),
        };
        match tokio::time::timeout_at(until.into(), self.load(found)).await {
            Ok(vetted) => vetted,
            Err(_) => untried("loading it takes longer than a request may"),
        }
    }

    async fn load(&self, found: Found) -> Vetted {
        let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() else {
            return untried("others are being tried");
        };
        let program = &found.resource.spec.program;
        let program = match gather::program(&self.client, &self.pack, program).await {
            Ok(program) => program,
            Err(Missing::Wrong(failure)) => return Vetted::Bad(failure.message),
            Err(Missing::Unknown(why)) => return untried(&why),
        };
        let engine = Arc::clone(&self.engine);
        let loading = tokio::task::spawn_blocking(move || {
            // The turn is over when the work is, whoever still waits for it.
            let _turn = turn;
            load::attempt(&engine, &found, Ok(&program))
        });
        match loading.await {
            Ok(Ok(())) => Vetted::Good,
            Ok(Err(failure)) => Vetted::Bad(format!("it does not load: {failure}")),
            Err(_) => untried("trying it failed inside Portcullis: see its log"),
        }
    }
}

fn untried(why: &str) -> Vetted {
    Vetted::Untried(format!(
        "the policy was not tried out, {why}: look at `kubectl get wp`"
    ))
}

/// The spec to try; None where there is nothing new. A policy that is broken
/// already must still be labelled and deleted. `plural` is what it is one of.
pub(super) fn changed_spec<'r>(request: &'r Request, plural: &str) -> Option<&'r Value> {
    let attributes = &request.attributes;
    let is_policy = attributes.group == crd::GROUP && attributes.resource == plural;
    let is_write = matches!(attributes.operation, Operation::Create | Operation::Update);
    if !is_policy || !is_write || attributes.subresource.is_some() {
        return None;
    }
    let spec = |member: &str| request.admission.get(member)?.get("spec");
    match (spec("object"), spec("oldObject")) {
        (Some(new), Some(old)) if new == old => None,
        (Some(new), _) => Some(new),
        (None, _) => Some(&Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::review;

    fn request(operation: &str, object: Value, old: Value) -> Request {
        let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "u", "operation": operation, "name": "tags",
                "resource": {"group": "portcullis.dev", "version": "v1alpha1",
                    "resource": "wasmpolicies"},
                "kind": {"group": "portcullis.dev", "version": "v1alpha1", "kind": "WasmPolicy"},
                "object": object, "oldObject": old}});
        let review = review::decode(body.to_string().as_bytes()).expect("a review");
        review.request.expect("a request")
    }

    #[test]
    fn only_what_changes_a_spec_is_tried() {
        let policy = |name: &str| json!({"spec": {"program": {"builtin": name}}});
        for (operation, object, old, is_tried) in [
            ("CREATE", policy("a"), Value::Null, true),
            ("CREATE", json!({}), Value::Null, true),
            ("UPDATE", policy("a"), policy("b"), true),
            ("UPDATE", policy("a"), policy("a"), false),
            ("DELETE", Value::Null, policy("a"), false),
        ] {
            let request = request(operation, object.clone(), old);
            let spec = changed_spec(&request, crd::PLURAL);
            assert_eq!(spec.is_some(), is_tried, "{operation} {object}");
            assert!(changed_spec(&request, "policyexemptions").is_none());
        }
    }
}
