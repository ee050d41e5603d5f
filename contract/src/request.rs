//! One admission request, as the reads of a policy address it.

use serde_json::{Map, Value};

use crate::pod::{self, PodView};

/// One admission request: the members of an `AdmissionRequest`, and what the
/// host adds to them.
///
/// The members that reads may start with are those of the AdmissionRequest
/// (`operation`, `kind`, `resource`, `subResource`, `name`, `namespace`,
/// `userInfo`, `dryRun`, `object`, `oldObject`, `options`) and four more:
/// `namespaceObject`, the namespace that the object is in, as far as the host
/// knows it; `namespaceIsKnown`, whether that is all of it, so that a label it
/// lacks is known to be absent; `pod`, the [`PodView`] of `object`; and `oldPod`, that of
/// `oldObject`.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The AdmissionRequest, a JSON object.
    pub admission: &'a Map<String, Value>,
    /// Overrides `object` of the AdmissionRequest: an object that an earlier
    /// policy changed, or the old one while an update is compared.
    pub object: &'a Value,
    /// The namespace of the object; null if unknown or cluster-scoped.
    pub namespace: &'a Value,
    /// Whether `namespace` is all there is to know of it.
    pub namespace_is_known: bool,
}

static TRUE: Value = Value::Bool(true);
static FALSE: Value = Value::Bool(false);

/// One member of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Member<'a> {
    /// Plain JSON.
    Value(&'a Value),
    /// An object that may carry values to be blanked.
    Object(&'a Value),
    /// A pod view.
    Pod(PodView<'a>),
}

impl<'a> Request<'a> {
    /// The members that reads may start with.
    pub const MEMBERS: [&'static str; 15] = [
        "dryRun",
        "kind",
        "name",
        "namespace",
        "namespaceIsKnown",
        "namespaceObject",
        "object",
        "oldObject",
        "oldPod",
        "operation",
        "options",
        "pod",
        "resource",
        "subResource",
        "userInfo",
    ];

    /// The request as the API server sent it, in a namespace that is known.
    pub fn new(admission: &'a Map<String, Value>, namespace: &'a Value) -> Self {
        let object = admission.get("object").unwrap_or(&Value::Null);
        Request {
            admission,
            object,
            namespace,
            namespace_is_known: true,
        }
    }

    /// The same request about another object.
    #[must_use]
    pub fn with_object(self, object: &'a Value) -> Self {
        Request { object, ..self }
    }

    /// `oldObject`, null if there is none.
    pub fn old_object(&self) -> &'a Value {
        self.admission.get("oldObject").unwrap_or(&Value::Null)
    }

    /// The member `name`; None if the request has none of that name.
    pub(crate) fn member(&self, name: &str) -> Option<Member<'a>> {
        match name {
            "object" => Some(Member::Object(self.object)),
            "oldObject" => Some(Member::Object(self.old_object())),
            "namespaceObject" => Some(Member::Value(self.namespace)),
            "namespaceIsKnown" if self.namespace_is_known => Some(Member::Value(&TRUE)),
            "namespaceIsKnown" => Some(Member::Value(&FALSE)),
            "pod" => pod::view(self.object).map(Member::Pod),
            "oldPod" => pod::view(self.old_object()).map(Member::Pod),
            _ => self.admission.get(name).map(Member::Value),
        }
    }
}
