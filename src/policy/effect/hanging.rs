//! Findings that hang on other objects, and what is known of those so far.
//! Pure: files and audits show the objects, a cluster asks its API server.

use portcullis_contract::{CutOff, Lack, Unless};
use serde_json::Value;

use super::unless::fulfils;
use crate::policy::FailurePolicy;
use crate::policy::decision::Judged;
use crate::policy::kinds::group_version;

/// A finding of what is there: see [`Lack`].
#[derive(Debug, Clone, PartialEq)]
pub struct Lacking {
    /// What is found, and what it leads to.
    pub judged: Judged,
    namespace: String,
    among: Vec<Unless>,
    unless: Vec<Unless>,
    object: Option<Value>,
    /// Whether one of `among` was seen, and one of `unless`.
    seen: (bool, bool),
}

/// A finding that counts where the API server is kept out: see [`CutOff`].
#[derive(Debug, Clone, PartialEq)]
pub struct Closing {
    /// What is found then, and what it leads to.
    pub judged: Judged,
    /// The namespace that would be closed.
    pub namespace: String,
    /// By this NetworkPolicy.
    pub by: Value,
    /// What answers where nobody knows what the API server calls.
    pub failure_policy: FailurePolicy,
}

impl Lacking {
    /// Of a request in this namespace.
    pub fn new(judged: Judged, lack: Lack, namespace: &str) -> Lacking {
        let Lack {
            among,
            unless,
            object,
            ..
        } = lack;
        Lacking {
            judged,
            namespace: namespace.to_owned(),
            seen: (among.is_empty(), false),
            among,
            unless,
            object,
        }
    }

    /// What it hangs on, each with whether it is in no namespace.
    pub fn looks_at(&self) -> impl Iterator<Item = &Unless> {
        self.among.iter().chain(&self.unless)
    }

    /// Takes note of an object of a resource: the group and the plural.
    /// `namespace` is empty for what is in none.
    pub fn see(&mut self, (group, plural): (&str, &str), namespace: &str, object: &Value) {
        let is_one = |unless: &Unless| {
            let place = if unless.cluster { "" } else { &self.namespace };
            let resource = (group_version(&unless.api_version).0, &*unless.resource);
            resource == (group, plural) && place == namespace && fulfils(unless, object)
        };
        let among = self.seen.0 || self.among.iter().any(is_one);
        let unless = self.seen.1 || self.unless.iter().any(is_one);
        self.seen = (among, unless);
    }

    /// Whether it counts, now that all has been seen.
    pub fn counts(&self) -> bool {
        self.seen == (true, false)
    }

    /// The object that would mend it, in its namespace.
    pub fn creates(&self) -> Option<Box<Value>> {
        let mut object = self.object.clone()?;
        object["metadata"]["namespace"] = self.namespace.as_str().into();
        Some(Box::new(object))
    }
}

impl Closing {
    /// Of a request in this namespace.
    pub fn new(
        judged: Judged,
        cut_off: CutOff,
        namespace: &str,
        answers: FailurePolicy,
    ) -> Closing {
        Closing {
            judged,
            namespace: namespace.to_owned(),
            by: cut_off.policy,
            failure_policy: answers,
        }
    }

    /// What is found where the API server calls these.
    pub fn told(mut self, callers: &[String]) -> Judged {
        let finding = &mut self.judged.finding;
        finding.message = format!("{}: {}", finding.message, callers.join("; "));
        self.judged
    }
}

#[cfg(test)]
mod tests {
    use portcullis_contract::{Finding, Level};
    use serde_json::json;

    use super::*;
    use crate::policy::action::{Action, Actions};

    fn judged() -> Judged {
        Judged {
            policy: "net".parse().expect("a name"),
            finding: Finding {
                code: "open".into(),
                message: "m".into(),
                remedy: "r".into(),
                path: String::new(),
                container: None,
                within: None,
            },
            level: Level::Warning,
            actions: Actions {
                action: Action::Warn,
                audit: true,
                moves: false,
            },
            guessed: false,
            secret: false,
            exempted: None,
        }
    }

    fn lacking(among: Value, unless: Value) -> Lacking {
        let lack = json!({"finding": {"code": "open", "message": "m", "remedy": "r", "path": ""},
            "among": among, "unless": unless, "object": {"kind": "NetworkPolicy",
            "metadata": {"name": "x"}}});
        let lack = serde_json::from_value(lack).expect("a lack");
        Lacking::new(judged(), lack, "shop")
    }

    const KIND: (&str, &str) = ("networking.k8s.io", "networkpolicies");

    fn policies(holds: Value) -> Value {
        json!([{"apiVersion": "networking.k8s.io/v1", "resource": "networkpolicies",
            "holds": holds}])
    }

    #[test]
    fn what_is_there_in_the_namespace_makes_up_for_it_and_nothing_else() {
        let mut one = lacking(json!([]), policies(json!([])));
        assert!(one.counts());
        one.see(KIND, "other", &json!({}));
        one.see(("", "networkpolicies"), "shop", &json!({}));
        assert!(one.counts());
        one.see(KIND, "shop", &json!({}));
        assert!(!one.counts());
        let creates = one.creates().expect("an object");
        assert_eq!(
            creates["metadata"],
            json!({"name": "x", "namespace": "shop"})
        );
    }

    #[test]
    fn it_counts_only_among_others_where_it_says_so() {
        let all = json!([{"path": "/spec/podSelector", "is": {"oneOf": [{}]}}]);
        let mut one = lacking(policies(json!([])), policies(all));
        assert!(!one.counts());
        one.see(
            KIND,
            "shop",
            &json!({"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}),
        );
        assert!(one.counts());
        one.see(KIND, "shop", &json!({"spec": {"podSelector": {}}}));
        assert!(!one.counts());
    }

    #[test]
    fn what_is_in_no_namespace_is_not_looked_for_in_one() {
        let mut one = lacking(
            json!([]),
            json!([{"apiVersion": "cilium.io/v2", "cluster": true,
            "resource": "ciliumclusterwidenetworkpolicies", "holds": []}]),
        );
        let kind = ("cilium.io", "ciliumclusterwidenetworkpolicies");
        one.see(kind, "shop", &json!({}));
        assert!(one.counts());
        one.see(kind, "", &json!({}));
        assert!(!one.counts());
    }
}
