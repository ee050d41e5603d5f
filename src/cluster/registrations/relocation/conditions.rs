//! Which writes the entries of a relocation are asked about. What is no concern of
//! theirs costs nothing, and passes while we are down.

use portcullis_relocation::{marks, names};
use serde_json::{Value, json};

use crate::registration::never::ROOT_CA;

/// The one write of who may put values back (`restore` on `relocations`), by
/// the version that it replaces. It holds of all entries: whatever fails closed
/// would keep values from being put back while we are down.
const NOT_PUT_BACK: (&str, &str) = (
    "not-put-back",
    "request.kind.kind != \"ConfigMap\" || request.operation != \"UPDATE\" || \
     object.metadata.?annotations[?\"portcullis.dev/restored\"].orValue(\"\") != \
     oldObject.metadata.resourceVersion || \
     !authorizer.group(\"portcullis.dev\").resource(\"relocations\")\
     .namespace(request.namespace).check(\"restore\").allowed()",
);

/// Most updates of pods are no concern of ours, and must pass while we are down:
/// a Job whose pods cannot lose their finalizers never ends (design:
/// reliability.md, 8a).
const CHANGED: (&str, &str) = (
    "changed",
    "request.operation != \"UPDATE\" || request.kind.kind != \"Pod\" || \
     object.spec != oldObject.spec",
);

/// Whether an update of a ConfigMap changes what it holds, or what may be a copy
/// of that.
const CONTENTS: &str = "object.?data.orValue({}) != oldObject.?data.orValue({}) || \
     object.?binaryData.orValue({}) != oldObject.?binaryData.orValue({}) || \
     object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})";

/// Volumes that hold neither a ConfigMap nor a Secret. What is not known here may.
const PLAIN_VOLUMES: [&str; 7] = [
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "hostPath",
    "image",
    "nfs",
    "persistentVolumeClaim",
];

/// Whether a variable's value comes from elsewhere than a ConfigMap.
const PLAIN_VARIABLES: [&str; 3] = ["fieldRef", "fileKeyRef", "resourceFieldRef"];

/// What is projected besides ConfigMaps and Secrets.
const PLAIN_SOURCES: [&str; 4] = [
    "clusterTrustBundle",
    "downwardAPI",
    "podCertificate",
    "serviceAccountToken",
];

/// The condition of all entries that lets values be put back.
pub(super) fn not_put_back() -> Value {
    condition(NOT_PUT_BACK)
}

/// Of the mutating entry. It is asked about every pod: the API server asks again,
/// after others have changed a pod, whom it had asked before, and nobody else.
pub(super) fn of_moving() -> Vec<Value> {
    vec![
        condition(NOT_PUT_BACK),
        not_cluster_ca(),
        condition(CHANGED),
        not_going(),
    ]
}

/// Of the validating entry: it judges what is to be stored.
pub(super) fn of_checking() -> Vec<Value> {
    vec![
        condition(NOT_PUT_BACK),
        not_cluster_ca(),
        condition(CHANGED),
        not_as_it_was(),
        uses(),
    ]
}

fn condition((name, expression): (&str, &str)) -> Value {
    json!({"name": name, "expression": expression})
}

/// Every namespace has this one, which nobody moves anything out of. One that
/// the API server is yet to name has no `request.name`: a condition that fails
/// for that would keep the mutating entry from being asked.
fn not_cluster_ca() -> Value {
    let expression = format!(
        "request.kind.kind != \"ConfigMap\" || object.metadata.?name.orValue(\"\") != \"{ROOT_CA}\""
    );
    condition(("not-the-cluster-ca", &expression))
}

/// A ConfigMap that is being deleted loses its finalizers by updates. In a
/// namespace that is being deleted our rights there are among the first that go:
/// were we asked, it would never be gone. What it holds is as it was.
fn not_going() -> Value {
    let expression = format!(
        "request.operation != \"UPDATE\" || request.kind.kind != \"ConfigMap\" || \
         !has(object.metadata.deletionTimestamp) || {}",
        differs()
    );
    condition(("not-going", &expression))
}

/// What is stored already need not be checked once more: an apply of the same
/// again, of which there are many, and what a controller writes in metadata.
fn not_as_it_was() -> Value {
    let expression = format!(
        "request.operation != \"UPDATE\" || request.kind.kind != \"ConfigMap\" || {}",
        differs()
    );
    condition(("not-as-it-was", &expression))
}

/// [`CONTENTS`], or whether the mark of what was moved changes.
fn differs() -> String {
    let mark = |object: &str| {
        format!(
            "{object}.metadata.?labels[?\"{}\"].orValue(\"\")",
            marks::MOVED
        )
    };
    format!("{CONTENTS} || {} != {}", mark("object"), mark("oldObject"))
}

/// Most pods of a cluster use no ConfigMap, but for the cluster's CA.
fn uses() -> Value {
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    let containers = lists.map(|list| {
        format!(
            "object.spec.?{list}.orValue([]).exists(c, {} || {})",
            environment(),
            environment_from()
        )
    });
    let pulled = format!(
        "object.spec.?imagePullSecrets.orValue([]).exists(s, {})",
        is_reserved("s.?name")
    );
    let expression = format!(
        "request.kind.kind != \"Pod\" || {} || {} || {pulled}",
        containers.join(" || "),
        volumes()
    );
    condition(("uses-a-config-map", &expression))
}

/// Names of our Secrets are looked at wherever they stand.
fn is_reserved(name: &str) -> String {
    format!("{name}.orValue(\"\").startsWith(\"{}\")", names::RESERVED)
}

fn environment() -> String {
    let plain = has_any("e.valueFrom", &PLAIN_VARIABLES);
    let secret = is_reserved("e.valueFrom.secretKeyRef.?name");
    format!(
        "c.?env.orValue([]).exists(e, has(e.valueFrom) && \
         (has(e.valueFrom.configMapKeyRef) || \
         (has(e.valueFrom.secretKeyRef) ? {secret} : !({plain}))))"
    )
}

fn environment_from() -> String {
    let secret = is_reserved("f.secretRef.?name");
    format!(
        "c.?envFrom.orValue([]).exists(f, has(f.configMapRef) || \
         (has(f.secretRef) ? {secret} : true))"
    )
}

fn volumes() -> String {
    let secret = is_reserved("v.secret.?secretName");
    let plain = has_any("v", &PLAIN_VOLUMES);
    format!(
        "object.spec.?volumes.orValue([]).exists(v, has(v.configMap) || \
         (has(v.projected) && {}) || \
         (has(v.secret) ? {secret} : !(has(v.projected) || {plain})))",
        sources()
    )
}

fn sources() -> String {
    let secret = is_reserved("s.secret.?name");
    let plain = has_any("s", &PLAIN_SOURCES);
    format!(
        "v.projected.?sources.orValue([]).exists(s, \
         has(s.configMap) ? s.configMap.?name.orValue(\"\") != \"{ROOT_CA}\" : \
         has(s.secret) ? {secret} : !({plain}))"
    )
}

fn has_any(of: &str, members: &[&str]) -> String {
    let terms: Vec<String> = members
        .iter()
        .map(|member| format!("has({of}.{member})"))
        .collect();
    terms.join(" || ")
}
