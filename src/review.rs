//! `AdmissionReview` v1, the wire envelope: the only room that knows it.
//!
//! Decodes a body into a [`Review`] and encodes a decision into the answer.
//! Everything with a readable uid is answered inside the protocol; only a
//! body without one is a [`Malformed`] (HTTP 400).
#![deny(clippy::disallowed_types)]

mod lean;
mod uid;

use base64::Engine as _;
use portcullis_contract::reads::Outline;
use serde_json::{Map, Value, json};

use crate::policy::decision::{Decision, Verdict};
use crate::policy::kinds::Resource;
use crate::policy::{Attributes, kinds};

/// The one version that is spoken.
const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// A decoded review.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// The request's uid, to be echoed.
    pub uid: String,
    /// The request, or why it cannot be judged (a denial that says so).
    pub request: Result<Request, String>,
}

/// The request of a review.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its members.
    pub admission: Map<String, Value>,
    /// Its attributes.
    pub attributes: Attributes,
    /// What the request alone tells of its namespace: see [`namespace`].
    pub namespace: Value,
}

/// A body without a readable uid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}: send an {KIND} of {API_VERSION} with `request.uid`")]
pub struct Malformed(String);

/// Decodes the body of a call.
///
/// # Errors
///
/// Only where there is no uid to answer to.
pub fn decode(body: &[u8]) -> Result<Review, Malformed> {
    review(body, serde_json::from_slice(body))
}

/// The same with no more of the objects than `outline` says: what policies do
/// not read is most of the work.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_lean(body: &[u8], outline: &Outline) -> Result<Review, Malformed> {
    review(body, lean::read(body, outline))
}

fn review(body: &[u8], read: serde_json::Result<Value>) -> Result<Review, Malformed> {
    let mut review = match read {
        Ok(review) => review,
        Err(error) => return unreadable(body, &error),
    };
    let request = match review.get_mut("request").map(Value::take) {
        Some(Value::Object(request)) => request,
        _ => return Err(Malformed("the body has no `request`".into())),
    };
    let uid = match request.get("uid").and_then(Value::as_str) {
        Some(uid) if !uid.is_empty() => uid.to_owned(),
        _ => return Err(Malformed("the request has no `uid`".into())),
    };
    Ok(Review {
        uid,
        request: judgeable(&review, request),
    })
}

/// A body that the parser refuses may still tell its uid.
fn unreadable(body: &[u8], error: &serde_json::Error) -> Result<Review, Malformed> {
    let problem = problem(error);
    match uid::find(body) {
        Some(uid) => Ok(Review {
            uid,
            request: Err(problem),
        }),
        None => Err(Malformed(problem)),
    }
}

/// What is wrong with a body, without any of it.
fn problem(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    if error.to_string().starts_with("recursion limit exceeded") {
        return format!(
            "the object is nested deeper than 128 levels (line {line}, column {column}), \
             which no policy can judge: flatten it"
        );
    }
    let kind = if error.is_eof() {
        "ends too early"
    } else {
        "is no valid JSON"
    };
    format!("the body {kind} (line {line}, column {column})")
}

fn judgeable(review: &Value, admission: Map<String, Value>) -> Result<Request, String> {
    let member = |name: &str| review.get(name).and_then(Value::as_str).unwrap_or_default();
    if (member("apiVersion"), member("kind")) != (API_VERSION, KIND) {
        return Err(format!(
            "this webhook answers `{KIND}` of `{API_VERSION}`, not {:?} of {:?}: \
             set `admissionReviewVersions: [v1]` in its registration",
            short(member("kind")),
            short(member("apiVersion")),
        ));
    }
    let attributes = Attributes::parse(&admission)
        .map_err(|error| format!("the request cannot be judged: {error}"))?;
    for member in ["object", "oldObject"] {
        if !matches!(
            admission.get(member),
            None | Some(Value::Null | Value::Object(_))
        ) {
            return Err(format!(
                "the request cannot be judged: `request.{member}` is no object"
            ));
        }
    }
    let namespace = attributes
        .namespace
        .as_deref()
        .map_or(Value::Null, namespace);
    Ok(Request {
        admission,
        attributes,
        namespace,
    })
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A Namespace of which nothing but the name is known, and the label that
/// always goes with it.
pub fn namespace(name: &str) -> Value {
    let labels = json!({"kubernetes.io/metadata.name": name});
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// The AdmissionRequest that a CREATE of `object` would be, for manifests that
/// come without one. There is no user: what only a cluster's own controllers
/// may do is judged like anyone's. `is_cluster_scoped` tells of kinds outside
/// the built-in table.
pub fn create(
    object: &Value,
    is_cluster_scoped: impl Fn(&str, &str) -> bool,
) -> Map<String, Value> {
    let (group, kind) = group_and_kind(object);
    let resource = kinds::resource(group, kind);
    let namespaced = resource.namespaced && !is_cluster_scoped(group, kind);
    let resource = Resource {
        namespaced,
        ..resource
    };
    create_as(object, &resource)
}

fn group_and_kind(object: &Value) -> (&str, &str) {
    let group = kinds::group_version(text(object, "/apiVersion")).0;
    (group, text(object, "/kind"))
}

fn text<'o>(object: &'o Value, at: &str) -> &'o str {
    let text = object.pointer(at).and_then(Value::as_str);
    text.unwrap_or_default()
}

/// [`create`], for an object of which the API server told the resource.
pub fn create_as(object: &Value, resource: &Resource) -> Map<String, Value> {
    let (group, version) = kinds::group_version(text(object, "/apiVersion"));
    let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
    let written = text(object, "/metadata/namespace");
    let namespace = match (resource.namespaced, kind, written) {
        (true, _, "") => Some("default"),
        (true, _, namespace) => Some(namespace),
        // A Namespace's request names itself.
        (false, "Namespace", _) => Some(name),
        (false, ..) => None,
    };
    let request = json!({
        "uid": "00000000-0000-0000-0000-000000000000",
        "operation": "CREATE",
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": resource.plural},
        "name": name,
        "namespace": namespace,
        "userInfo": {},
        "dryRun": true,
        "object": object,
        "oldObject": null,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    });
    match request {
        Value::Object(request) => request,
        _ => Map::new(),
    }
}

/// The body of a call with this request.
pub fn encode_request(request: Map<String, Value>) -> Vec<u8> {
    json!({"apiVersion": API_VERSION, "kind": KIND, "request": request})
        .to_string()
        .into_bytes()
}

/// The answer to a review that was judged.
pub fn encode(uid: &str, decision: &Decision) -> Vec<u8> {
    let mut response = match decision.verdict() {
        Verdict::Denied { message } => denial(uid, &message),
        Verdict::Allowed { patch } => allowance(uid, patch),
    };
    let warnings = decision.warnings();
    if !warnings.is_empty() {
        response.insert("warnings".into(), warnings.into());
    }
    let annotations = decision.audit_annotations();
    if !annotations.is_empty() {
        response.insert("auditAnnotations".into(), json!(annotations));
    }
    envelope(response)
}

/// The answer to a review that could not be judged at all.
pub fn encode_refusal(uid: &str, message: &str) -> Vec<u8> {
    envelope(denial(uid, message))
}

/// The answer that allows what was not judged, with a warning.
pub fn encode_allowance(uid: &str, warning: Option<&str>) -> Vec<u8> {
    let mut response = allowance(uid, &[]);
    if let Some(warning) = warning {
        response.insert("warnings".into(), json!([warning]));
    }
    envelope(response)
}

/// The answer that allows, with changes and warnings.
pub fn encode_changed(
    uid: &str,
    patch: &[portcullis_contract::PatchOperation],
    warnings: &[String],
) -> Vec<u8> {
    let mut response = allowance(uid, patch);
    if !warnings.is_empty() {
        response.insert("warnings".into(), json!(warnings));
    }
    envelope(response)
}

fn allowance(uid: &str, patch: &[portcullis_contract::PatchOperation]) -> Map<String, Value> {
    let mut response = Map::new();
    response.insert("uid".into(), uid.into());
    response.insert("allowed".into(), true.into());
    if !patch.is_empty() {
        let patch = json!(patch).to_string();
        let encoded = base64::engine::general_purpose::STANDARD.encode(patch);
        response.insert("patchType".into(), "JSONPatch".into());
        response.insert("patch".into(), encoded.into());
    }
    response
}

/// Code 403 and reason Forbidden: kubectl then prints webhook and message in
/// full (design: api-server.md, section 3).
fn denial(uid: &str, message: &str) -> Map<String, Value> {
    let mut response = Map::new();
    response.insert("uid".into(), uid.into());
    response.insert("allowed".into(), false.into());
    let status = json!({"code": 403, "reason": "Forbidden", "message": message});
    response.insert("status".into(), status);
    response
}

fn envelope(response: Map<String, Value>) -> Vec<u8> {
    json!({"apiVersion": API_VERSION, "kind": KIND, "response": response})
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &str) -> String {
        format!(r#"{{"apiVersion":"{API_VERSION}","kind":"{KIND}","request":{request}}}"#)
    }

    #[test]
    fn only_a_body_without_a_uid_is_malformed() {
        for text in [
            "",
            "x",
            "[]",
            "{}",
            r#"{"request":{}}"#,
            r#"{"request":{"uid":1}}"#,
            "{\"request\"",
        ] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
        let review = decode(body(r#"{"uid":"u"}"#).as_bytes()).expect("answerable");
        let problem = review.request.expect_err("cannot be judged");
        assert!(problem.contains("`request.operation`"), "{problem}");
    }

    #[test]
    fn depth_beyond_the_parser_is_a_denial_that_says_so() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let text = body(&format!(r#"{{"object":{{"a":{deep}}},"uid":"u"}}"#));
        let review = decode(text.as_bytes()).expect("answerable");
        assert_eq!(review.uid, "u");
        let problem = review.request.expect_err("cannot be judged");
        assert!(
            problem.contains("nested deeper than 128 levels"),
            "{problem}"
        );
    }

    #[test]
    fn another_version_is_answered_with_the_remedy() {
        let text = r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"u"}}"#;
        let problem = decode(text.as_bytes())
            .expect("answerable")
            .request
            .expect_err("refused");
        assert!(
            problem.contains("admissionReviewVersions: [v1]"),
            "{problem}"
        );
    }
}
