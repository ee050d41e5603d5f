//! The normalised pod view: where each kind keeps its pod template.
//!
//! A policy on containers reads `pod.spec.containers[*].image` and never
//! asks which kind it looks at. `pod.path` is the JSON Pointer from the
//! object to what holds the pod's `metadata` and `spec`, so that findings
//! point into the object as it was written.

use serde_json::Value;

/// Kinds with a pod template: group (any version), kind, pointer to it.
///
/// Source: the `PodTemplateSpec` fields of the Kubernetes API 1.36, and the
/// documented schemas of Argo Rollouts and Knative Serving.
const TEMPLATES: [(&str, &str, &str); 12] = [
    ("", "Pod", ""),
    ("", "ReplicationController", "/spec/template"),
    ("", "PodTemplate", "/template"),
    ("apps", "Deployment", "/spec/template"),
    ("apps", "StatefulSet", "/spec/template"),
    ("apps", "DaemonSet", "/spec/template"),
    ("apps", "ReplicaSet", "/spec/template"),
    ("batch", "Job", "/spec/template"),
    ("batch", "CronJob", "/spec/jobTemplate/spec/template"),
    ("argoproj.io", "Rollout", "/spec/template"),
    ("serving.knative.dev", "Service", "/spec/template"),
    ("serving.knative.dev", "Configuration", "/spec/template"),
];

/// A pod template inside an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PodView<'a> {
    /// JSON Pointer from the object to the template; empty for a Pod.
    pub path: &'static str,
    /// The template: `metadata` and `spec`.
    pub template: &'a Value,
}

/// Where objects of this group and kind keep their pod template, if they do.
pub fn template_path(group: &str, kind: &str) -> Option<&'static str> {
    TEMPLATES
        .iter()
        .find(|(known_group, known_kind, _)| *known_group == group && *known_kind == kind)
        .map(|(_, _, path)| *path)
}

/// All places where objects keep a pod template, some of them more than once.
pub(crate) fn template_paths() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|(.., path)| *path)
}

/// The pod view of an object, judged by its own `apiVersion` and `kind`.
/// None if the kind has no pod template or the object lacks it.
pub fn view(object: &Value) -> Option<PodView<'_>> {
    let api_version = object.get("apiVersion")?.as_str()?;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let path = template_path(group, object.get("kind")?.as_str()?)?;
    let template = object.pointer(path)?;
    Some(PodView { path, template })
}
