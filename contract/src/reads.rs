//! Declared reads: which fields a policy sees, and nothing else.
//!
//! A read is a path from the request (see [`Request`]) to a field, with
//! everything below it:
//!
//! ```text
//! read  = name *( "." name / "." "*" / "[*]" / "[" JSON string "]" )
//! name  = 1*( letter / digit / "_" / "-" )
//! ```
//!
//! `.*` stands for every member of a map, `[*]` for every element of a list:
//! `object.spec.containers[*].image`, `pod.metadata.labels.*`,
//! `object.metadata.annotations["a.b/c"]`.
//!
//! [`Reads::project`] writes the request reduced to those fields as JSON
//! text. Guarantee: deserializing a type from the projection onto its own
//! reads gives what deserializing it from the whole request gives. Lists keep
//! their length, so that indexes in findings are indexes in the object. Where
//! the shape differs from what a read expects (a string where it descends),
//! an empty value of the same shape stands in: the error stays an error, and
//! nothing undeclared passes.

mod grammar;
mod node;
mod outline;
mod writing;

use std::collections::{BTreeMap, BTreeSet};

pub use outline::{Look, Outline};

use serde_json::Value;

use crate::redaction::{Redaction, blanked, holds_values};
use crate::request::{Member, Request};
use grammar::steps;
use node::Node;
use writing::{separate, write_json};

/// Why a read was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read `{read}`: {problem}")]
pub struct Error {
    /// The read as it was declared.
    pub read: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A set of reads, ready to project requests.
///
/// Equal sets compare equal, whatever their order and overlap: the host
/// projects once for all policies of equal reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reads {
    members: BTreeMap<String, Node>,
}

/// Steps of one read. The API server takes no JSON that is deeper than a few
/// times this, and no kind of Kubernetes comes near it; without a bound, a
/// hostile description could exhaust the host's stack.
const MAX_STEPS: usize = 64;
/// Nodes that are merged in one set of reads. A named member takes over what
/// `.*` beside it reads, which doubles at every step where both go on: a few
/// dozen hostile reads would take the host's memory. Honest sets merge a few.
const MAX_MERGED: usize = 10_000;

/// Members of a request that hold whole objects somebody else wrote; reading
/// one without naming a field needs the grant `values`.
pub const WHOLE_OBJECTS: [&str; 4] = ["object", "oldObject", "pod", "oldPod"];

impl Reads {
    /// Parses a set of reads.
    ///
    /// # Errors
    ///
    /// The first read that does not fit the grammar, or that starts with no
    /// member of a request.
    pub fn parse<'r>(reads: impl IntoIterator<Item = &'r str>) -> Result<Reads, Error> {
        let mut parsed = Reads::default();
        for read in reads {
            let fault = |problem: String| Error {
                read: read.to_owned(),
                problem,
            };
            let (member, steps) = steps(read).map_err(fault)?;
            if steps.len() > MAX_STEPS {
                let count = steps.len();
                return Err(fault(format!(
                    "it has {count} steps; at most {MAX_STEPS} are read"
                )));
            }
            if !Request::MEMBERS.contains(&member.as_str()) {
                let known = Request::MEMBERS.join("`, `");
                return Err(fault(format!(
                    "a request has no member `{member}`; it has `{known}`"
                )));
            }
            parsed.members.entry(member).or_default().insert(&steps);
        }
        let mut left = MAX_MERGED;
        for (member, node) in &mut parsed.members {
            node.simplify(&mut left).map_err(|problem| Error {
                read: member.clone(),
                problem,
            })?;
        }
        Ok(parsed)
    }

    /// Reads that take a whole object: they need the grant `values`.
    pub fn whole_objects(&self) -> BTreeSet<&'static str> {
        WHOLE_OBJECTS
            .into_iter()
            .filter(|member| self.members.get(*member).is_some_and(|node| node.whole))
            .collect()
    }

    /// Whether anything at this path, or below it, is read. `path` starts with
    /// a member of the request.
    pub fn touches(&self, path: &[&str]) -> bool {
        let Some((member, rest)) = path.split_first() else {
            return !self.members.is_empty();
        };
        let node = self.members.get(*member);
        node.is_some_and(|node| node.touches(rest))
    }

    /// Whether anything of this member of a request is read.
    pub fn has(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    /// Whether nothing but `object` is read: what a lookup may do.
    pub fn are_of_an_object(&self) -> bool {
        self.members.keys().all(|member| member == "object")
    }

    /// Whether no more is read of `object` than its version, its kind and its
    /// metadata: nothing else of it need be asked for.
    pub fn are_of_metadata(&self) -> bool {
        let is_known = |name: &String| matches!(&**name, "apiVersion" | "kind" | "metadata");
        let is_narrow = |node: &Node| {
            let by_name = !node.whole && node.any.is_none() && node.each.is_none();
            by_name && node.fields.keys().all(is_known)
        };
        self.are_of_an_object() && self.members.values().all(is_narrow)
    }

    /// An object that was looked up, reduced to what these reads have of
    /// `object`, as JSON text.
    pub fn project_object(&self, object: &Value, redaction: Redaction) -> String {
        let Some(node) = self.members.get("object") else {
            return "{}".to_owned();
        };
        let mut out = Vec::with_capacity(128);
        match redaction == Redaction::Blank && holds_values(object) {
            true => node.write(&blanked(object), &mut out),
            false => node.write(object, &mut out),
        }
        // serde_json writes UTF-8 only.
        String::from_utf8(out).unwrap_or_default()
    }

    /// The request reduced to these reads, as JSON text.
    pub fn project(&self, request: &Request<'_>, redaction: Redaction) -> String {
        let mut out = Vec::with_capacity(512);
        out.push(b'{');
        for (name, node) in &self.members {
            let Some(member) = request.member(name) else {
                continue;
            };
            separate(&mut out);
            write_json(&mut out, name);
            out.push(b':');
            match member {
                Member::Value(value) => node.write(value, &mut out),
                Member::Pod(view) => node.write_pod(&view, &mut out),
                Member::Object(object) if redaction == Redaction::Blank && holds_values(object) => {
                    node.write(&blanked(object), &mut out);
                }
                Member::Object(object) => node.write(object, &mut out),
            }
        }
        out.push(b'}');
        // serde_json writes UTF-8 only.
        String::from_utf8(out).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn project(reads: &[&str], admission: Value) -> Value {
        let reads = Reads::parse(reads.iter().copied()).expect("reads parse");
        let admission = admission.as_object().expect("an object");
        let request = Request::new(admission, &Value::Null);
        serde_json::from_str(&reads.project(&request, Redaction::Blank)).expect("JSON")
    }

    #[test]
    fn only_declared_fields_pass() {
        let seen = project(
            &["object.spec.containers[*].image", "operation"],
            json!({"operation": "CREATE", "uid": "u", "object": {"spec": {"x": 1, "containers": [
                {"name": "a", "image": "i"}, {"name": "b"}]}}}),
        );
        assert_eq!(
            seen,
            json!({"operation": "CREATE", "object": {"spec": {"containers": [{"image": "i"}, {}]}}})
        );
    }

    #[test]
    fn pods_are_seen_alike_in_every_kind() {
        let seen = project(
            &["pod.path", "pod.spec.containers[*].image"],
            json!({"object": {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"jobTemplate":
                {"spec": {"template": {"spec": {"containers": [{"image": "i"}]}}}}}}}),
        );
        let path = "/spec/jobTemplate/spec/template";
        assert_eq!(
            seen,
            json!({"pod": {"path": path, "spec": {"containers": [{"image": "i"}]}}})
        );
    }

    #[test]
    fn another_shape_passes_as_an_empty_value_of_its_shape() {
        let seen = project(
            &["object.a.b", "object.c[*].d"],
            json!({"object": {"a": "secret", "c": {"d": "secret"}}}),
        );
        assert_eq!(seen, json!({"object": {"a": "", "c": {}}}));
    }

    #[test]
    fn what_a_read_touches_is_above_at_or_below_it() {
        let reads = |read: &str| Reads::parse([read]).expect("a read");
        let touches = |read: &str| reads(read).touches(&["object", "a", "b"]);
        for read in [
            "object",
            "object.a",
            "object.a.b",
            "object.a.b.c",
            "object.*.b",
            "object.a.*",
        ] {
            assert!(touches(read), "{read}");
        }
        for read in [
            "oldObject",
            "object.b",
            "object.a.c",
            "object.a[*]",
            "object.*.c",
        ] {
            assert!(!touches(read), "{read}");
        }
    }

    #[test]
    fn any_and_named_members_merge() {
        let seen = project(
            &["object.m.*.x", "object.m.k.y"],
            json!({"object": {"m": {"k": {"x": 1, "y": 2, "z": 3}, "l": {"x": 1, "y": 2}}}}),
        );
        assert_eq!(
            seen,
            json!({"object": {"m": {"k": {"x": 1, "y": 2}, "l": {"x": 1}}}})
        );
    }

    #[test]
    fn values_of_config_maps_and_secrets_are_blank_without_a_grant() {
        let admission = json!({"object": {"apiVersion": "v1", "kind": "Secret",
            "data": {"k": "c2VjcmV0"}, "stringData": {"l": "secret"},
            "metadata": {"name": "n", "annotations": {"copy": "secret"}}}});
        let seen = project(
            &["object.data", "object.stringData", "object.metadata"],
            admission,
        );
        assert_eq!(
            seen,
            json!({"object": {"data": {"k": ""}, "stringData": {"l": ""},
                "metadata": {"name": "n", "annotations": {"copy": ""}}}})
        );
    }

    /// Found by tests/it/fuzz: a description could overflow the host's stack.
    #[test]
    fn a_read_of_endless_depth_is_refused() {
        for step in [".a", ".*", "[*]"] {
            let read = format!("object{}", step.repeat(100_000));
            let error = Reads::parse([read.as_str()]).expect_err("refused");
            assert!(error.problem.contains("at most 64"), "{error}");
            let read = format!("object{}", step.repeat(64));
            assert!(Reads::parse([read.as_str()]).is_ok());
        }
    }

    /// A description could take all of the host's memory and time.
    #[test]
    fn reads_that_double_at_every_step_are_refused() {
        let read = |depth: usize| format!("object{}.x.y", ".*".repeat(depth));
        let reads: Vec<String> = (0..40).map(read).collect();
        let error = Reads::parse(reads.iter().map(String::as_str)).expect_err("refused");
        assert!(error.problem.contains("overlap"), "{error}");
        assert!(Reads::parse(reads[..6].iter().map(String::as_str)).is_ok());
    }

    #[test]
    fn equal_sets_are_equal_whatever_their_order() {
        let one = Reads::parse(["object.a", "object.a.b", "operation"]).expect("parses");
        let two = Reads::parse(["operation", "object.a"]).expect("parses");
        assert_eq!(one, two);
    }

    #[test]
    fn a_bad_read_is_named_with_its_problem() {
        for (read, part) in [
            ("", "expected a name"),
            ("objet.spec", "no member `objet`"),
            ("object..a", "expected a name"),
            ("object[0]", "string in double quotes"),
            ("object[\"a\"", "expected `]`"),
            ("object/a", "expected `.name`"),
        ] {
            let error = Reads::parse([read]).expect_err(read).to_string();
            assert!(error.contains(part), "{read}: {error}");
        }
    }
}
