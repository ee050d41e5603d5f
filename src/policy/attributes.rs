//! What matching needs to know of an AdmissionRequest.

use portcullis_contract::Operation;
use serde_json::{Map, Value};

/// The request as match constraints see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// What is done.
    pub operation: Operation,
    /// API group of the resource; empty for the core group.
    pub group: String,
    /// API version of the resource.
    pub version: String,
    /// Plural resource: `pods`.
    pub resource: String,
    /// Subresource, if the request is about one.
    pub subresource: Option<String>,
    /// Kind of the object.
    pub kind: String,
    /// Namespace of the request; for a Namespace its own name. None for other
    /// cluster-scoped objects.
    pub namespace: Option<String>,
    /// Name of the object; empty where it is yet to be generated.
    pub name: String,
    /// Who asks.
    pub username: String,
    /// The groups of who asks.
    pub groups: Vec<String>,
    /// Decide, change nothing.
    pub dry_run: bool,
    /// The request's uid, echoed in the answer.
    pub uid: String,
}

/// A member of the AdmissionRequest is missing or of another type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`request.{member}` {problem}")]
pub struct Error {
    member: &'static str,
    problem: &'static str,
}

impl Attributes {
    /// Reads the attributes of an AdmissionRequest.
    ///
    /// # Errors
    ///
    /// The first member that is missing or of another type.
    pub fn parse(request: &Map<String, Value>) -> Result<Self, Error> {
        let user = request.get("userInfo");
        let resource = |member: &str| request.get("resource").and_then(|r| text(r.get(member)));
        let missing = |member| Error {
            member,
            problem: "is missing or no string",
        };
        let given = |value: Option<&Value>| text(value).filter(|name| !name.is_empty());
        let mut attributes = Attributes {
            operation: operation(request.get("operation"))?,
            group: resource("group").unwrap_or_default(),
            version: resource("version").ok_or_else(|| missing("resource.version"))?,
            resource: resource("resource").ok_or_else(|| missing("resource.resource"))?,
            subresource: text(request.get("subResource")).filter(|name| !name.is_empty()),
            kind: request
                .get("kind")
                .and_then(|kind| text(kind.get("kind")))
                .ok_or_else(|| missing("kind.kind"))?,
            namespace: given(request.get("namespace")),
            name: text(request.get("name")).unwrap_or_default(),
            username: user
                .and_then(|user| text(user.get("username")))
                .unwrap_or_default(),
            groups: user.map(groups).unwrap_or_default(),
            dry_run: request
                .get("dryRun")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            uid: text(request.get("uid")).unwrap_or_default(),
        };
        if attributes.namespace.is_none() && attributes.is_namespace() {
            // The API server says it before it makes a name of `generateName`.
            let metadata = request
                .get("object")
                .and_then(|object| object.get("metadata"));
            let made = || given(metadata?.get("name"));
            attributes.namespace = given(request.get("name")).or_else(made);
        }
        Ok(attributes)
    }

    /// Whether the object is a Namespace itself.
    pub fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.resource == "namespaces"
    }

    /// Whether anyone but nodes may have written the object: the mark of a
    /// mirror Pod counts only from a node, since any user can write it.
    pub fn is_from_node(&self) -> bool {
        self.groups.iter().any(|group| group == "system:nodes")
            && self.username.starts_with("system:node:")
    }
}

fn operation(value: Option<&Value>) -> Result<Operation, Error> {
    match value.and_then(Value::as_str) {
        Some("CREATE") => Ok(Operation::Create),
        Some("UPDATE") => Ok(Operation::Update),
        Some("DELETE") => Ok(Operation::Delete),
        Some("CONNECT") => Ok(Operation::Connect),
        _ => {
            let problem = "is none of `CREATE`, `UPDATE`, `DELETE`, `CONNECT`";
            Err(Error {
                member: "operation",
                problem,
            })
        }
    }
}

fn groups(user: &Value) -> Vec<String> {
    let list = user.get("groups").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|group| text(Some(group)))
        .collect()
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}
