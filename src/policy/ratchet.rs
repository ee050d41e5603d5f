//! What an update or an inherited object may be forgiven.
//!
//! A cluster full of findings must go on working on the day a policy is
//! installed: scaling, draining, rolling out what was there before. So a
//! denial is softened where the object did not get worse, or where somebody
//! else was judged for it already. Nothing is softened by marks that the
//! writer of an object could set himself.

use portcullis_contract::{Finding, MatchConstraints};
use serde_json::Value;

use super::action::Action;
use super::attributes::Attributes;
use super::{kinds, matching};

/// Users whose objects are made for an owner that was judged itself: the
/// workload controllers of kube-controller-manager, with and without
/// `--use-service-account-credentials`.
const CONTROLLERS: [&str; 8] = [
    "system:kube-controller-manager",
    "system:serviceaccount:kube-system:cronjob-controller",
    "system:serviceaccount:kube-system:daemon-set-controller",
    "system:serviceaccount:kube-system:deployment-controller",
    "system:serviceaccount:kube-system:job-controller",
    "system:serviceaccount:kube-system:replicaset-controller",
    "system:serviceaccount:kube-system:replication-controller",
    "system:serviceaccount:kube-system:statefulset-controller",
];

/// Whether the request need not be judged at all: an object on its way out
/// (only finalizers can change it), or a mirror Pod that its node reports.
pub fn passes_unjudged(attributes: &Attributes, object: &Value, old: &Value) -> bool {
    let is_terminating = !old
        .pointer("/metadata/deletionTimestamp")
        .unwrap_or(&Value::Null)
        .is_null();
    let is_update = attributes.operation == portcullis_contract::Operation::Update;
    let is_mirror = object
        .pointer("/metadata/annotations/kubernetes.io~1config.mirror")
        .is_some();
    (is_update && is_terminating) || (is_mirror && attributes.is_from_node())
}

/// Whether an update leaves everything but `metadata` and `status` as it was.
pub fn is_metadata_only(object: &Value, old: &Value) -> bool {
    let (Some(object), Some(old)) = (object.as_object(), old.as_object()) else {
        return false;
    };
    let apart = |name: &&String| !matches!(name.as_str(), "metadata" | "status");
    let same = |name: &String| object.get(name) == old.get(name);
    object.keys().filter(apart).all(same) && old.keys().filter(apart).all(same)
}

/// Whether a built-in controller made this object for an owner of a kind that
/// the constraints mention.
pub fn is_inherited(
    constraints: &MatchConstraints,
    attributes: &Attributes,
    object: &Value,
) -> bool {
    let owner_is_judged = |owner: &Value| {
        let version = owner
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let kind = owner
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (group, _) = kinds::group_version(version);
        owner.get("controller").and_then(Value::as_bool) == Some(true)
            && matching::mentions(constraints, group, &kinds::resource(group, kind).plural)
    };
    let owners = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    CONTROLLERS.contains(&attributes.username.as_str())
        && owners.into_iter().flatten().any(owner_is_judged)
}

/// What a denial becomes on an update: a warning, if the old object had a
/// finding of the same code and container whose value at its place is what
/// the new one's is.
pub fn softened(
    finding: &Finding,
    object: &Value,
    old_findings: &[Finding],
    old: &Value,
) -> Option<Action> {
    let value = object.pointer(&finding.path);
    let same = |before: &Finding| {
        before.code == finding.code
            && before.container == finding.container
            && old.pointer(&before.path) == value
    };
    old_findings.iter().any(same).then_some(Action::Warn)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_and_status_are_no_change_of_what_is_judged() {
        let old = json!({"spec": {"a": 1}, "metadata": {"x": 1}, "status": {}});
        let object = json!({"spec": {"a": 1}, "metadata": {"x": 2}});
        assert!(is_metadata_only(&object, &old));
        assert!(!is_metadata_only(&json!({"spec": {"a": 2}}), &old));
        assert!(!is_metadata_only(
            &json!({"data": {}, "spec": {"a": 1}}),
            &old
        ));
    }

    #[test]
    fn a_denial_that_was_there_before_becomes_a_warning() {
        let finding = |path: &str| Finding {
            code: "c".into(),
            message: String::new(),
            remedy: String::new(),
            path: path.into(),
            container: Some("web".into()),
            within: None,
        };
        let old = json!({"spec": [{"image": "a"}, {"image": "b"}]});
        let moved = json!({"spec": [{"image": "x"}, {"image": "a"}]});
        let before = [finding("/spec/0/image")];
        assert_eq!(
            softened(&finding("/spec/1/image"), &moved, &before, &old),
            Some(Action::Warn)
        );
        assert_eq!(
            softened(&finding("/spec/0/image"), &moved, &before, &old),
            None
        );
    }
}
