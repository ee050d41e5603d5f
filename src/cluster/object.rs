//! A WasmPolicy of the cluster, as it came over the wire.

use kube::ResourceExt;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::crd;
use super::status::Status;
use crate::policy::spec::{API_VERSION, KIND, ProgramRef, Resource, Spec};
use crate::policy::{Cause, Failure, PolicyName};
use crate::source::Found;

/// How the API server calls WasmPolicies.
pub fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk(crd::GROUP, crd::VERSION, KIND);
    ApiResource::from_gvk_with_plural(&kind, crd::PLURAL)
}

/// The policy that the object describes. None for a name that is none, which
/// the API server has never stored.
///
/// What the definition lets through and the parser refuses all the same is
/// given as a failure, with as much of the spec as can be read: such a policy
/// must fail by its failurePolicy, and not be left out.
pub fn read(object: &DynamicObject) -> Option<(Found, Result<(), Failure>)> {
    let found = |resource| Found {
        resource,
        folder: None,
        place: format!("WasmPolicy {}", object.name_any()),
    };
    match parse(&object.name_any(), spec(object)) {
        Ok(resource) => Some((found(resource), Ok(()))),
        Err(failure) => {
            let name: PolicyName = object.name_any().parse().ok()?;
            let spec = salvage(spec(object));
            Some((found(Resource { name, spec }), Err(failure)))
        }
    }
}

/// `spec` as it is stored.
pub fn spec(object: &DynamicObject) -> &Value {
    &object.data["spec"]
}

/// `spec` for a record.
pub fn spec_members(object: &DynamicObject) -> Map<String, Value> {
    spec(object).as_object().cloned().unwrap_or_default()
}

/// `status`; an empty one where it cannot be read.
pub fn status(object: &DynamicObject) -> Status {
    part(&object.data, "status").unwrap_or_default()
}

/// `metadata.generation`; the API server counts from 1.
pub fn generation(object: &DynamicObject) -> i64 {
    object.metadata.generation.unwrap_or_default()
}

/// The policy of this name and spec.
///
/// # Errors
///
/// What the parser says.
pub fn parse(name: &str, spec: &Value) -> Result<Resource, Failure> {
    let document = json!({"apiVersion": API_VERSION, "kind": KIND,
        "metadata": {"name": name}, "spec": spec});
    let parsed = Resource::parse(&document);
    parsed.map_err(|error| Failure::host(Cause::Settings, error.to_string()))
}

/// What can be read of a spec that cannot be read as a whole.
fn salvage(spec: &Value) -> Spec {
    let nothing = Spec::of(ProgramRef::Builtin(String::new()));
    Spec {
        program: part(spec, "program").unwrap_or(nothing.program),
        match_constraints: part(spec, "matchConstraints"),
        failure_policy: part(spec, "failurePolicy").unwrap_or_default(),
        ..nothing
    }
}

fn part<T: DeserializeOwned>(value: &Value, member: &str) -> Option<T> {
    let member = value.get(member)?;
    T::deserialize(member).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::FailurePolicy;

    fn object(spec: Value) -> DynamicObject {
        DynamicObject::new("tags", &resource()).data(json!({"spec": spec}))
    }

    #[test]
    fn a_policy_of_the_cluster_is_read_as_one_of_a_file() {
        let (found, whole) =
            read(&object(json!({"program": {"builtin": "image-tags"}}))).expect("a policy");
        assert_eq!(whole, Ok(()));
        assert_eq!(found.resource.name.as_str(), "tags");
        let program = ProgramRef::Builtin("image-tags".into());
        assert_eq!(found.resource.spec.program, program);
    }

    #[test]
    fn a_policy_that_cannot_be_read_keeps_its_failure_policy() {
        let spec = json!({"program": {"builtin": "p"}, "failurePolicy": "Ignore", "newer": 1});
        let (found, whole) = read(&object(spec)).expect("a policy");
        let failure = whole.expect_err("an unknown member");
        assert!(
            failure.message.contains("unknown field `newer`"),
            "{failure}"
        );
        assert_eq!(found.resource.spec.failure_policy, FailurePolicy::Ignore);
        let (found, whole) = read(&object(Value::Null)).expect("a policy");
        assert!(whole.is_err());
        assert_eq!(found.resource.spec.failure_policy, FailurePolicy::Fail);
    }
}
