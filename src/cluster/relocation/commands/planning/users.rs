//! Who uses a ConfigMap: what a person wrote, and not each pod that was made of
//! it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use portcullis_contract::pod;
use portcullis_relocation::pod::{How, Maps, readings, rewrite, unrewritten};
use serde_json::Value;

use crate::cluster::relocation::admission::has_ended;

/// Steps from a pod to what a person wrote: ReplicaSet or Job, and its owner.
const STEPS: usize = 3;

/// What makes pods, or a pod by itself.
struct User {
    who: Workload,
    /// The pod, or the template of one.
    pod: Value,
}

/// What a person wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Workload {
    /// Its kind.
    pub(super) kind: String,
    /// Its name.
    pub(super) name: String,
}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// All that uses ConfigMaps in a namespace.
pub(super) struct Users {
    users: Vec<User>,
    /// Pods that run or will, and whose they are.
    pods: Vec<(Workload, Value)>,
}

impl Users {
    /// Of what makes pods, and of the pods.
    pub(super) fn of(workloads: &[Value], pods: &[Value]) -> Users {
        let by_uid: HashMap<&str, &Value> = workloads
            .iter()
            .filter_map(|one| Some((one["metadata"]["uid"].as_str()?, one)))
            .collect();
        let is_own = |one: &&Value| controller(one).is_none();
        let own = workloads.iter().filter(is_own).filter_map(|one| {
            let view = pod::view(one)?;
            Some(User {
                who: identity(one),
                pod: view.template.clone(),
            })
        });
        let mut users: Vec<User> = own.collect();
        let known: BTreeSet<Workload> = users.iter().map(|user| user.who.clone()).collect();
        let running = pods.iter().filter(|one| !has_ended(one));
        let running: Vec<(Workload, Value)> = running
            .map(|one| (topmost(one, &by_uid), one.clone()))
            .collect();
        // What nobody may list, or no kind of ours makes, is known by its pods.
        users.extend(
            running
                .iter()
                .filter(|(who, _)| !known.contains(who))
                .map(|(who, pod)| User {
                    who: who.clone(),
                    pod: pod.clone(),
                }),
        );
        Users {
            users,
            pods: running,
        }
    }

    /// Who uses the ConfigMap, and how: the keys, empty for all of them.
    pub(super) fn how(
        &self,
        config_map: &str,
    ) -> BTreeMap<Workload, BTreeMap<How, BTreeSet<String>>> {
        let mut found = BTreeMap::<Workload, BTreeMap<How, BTreeSet<String>>>::new();
        for user in &self.users {
            for (how, key) in readings(&user.pod).remove(config_map).unwrap_or_default() {
                let keys = found.entry(user.who.clone()).or_default();
                keys.entry(how).or_default().extend(key);
            }
        }
        found
    }

    /// Who has pods that would be shown a placeholder, which keys, and how many
    /// pods.
    pub(super) fn readers(&self, maps: &Maps) -> BTreeMap<Workload, (BTreeSet<String>, usize)> {
        let mut found = BTreeMap::<Workload, (BTreeSet<String>, usize)>::new();
        for (who, pod) in &self.pods {
            let uses = unrewritten(pod, None, maps);
            if !uses.is_empty() {
                let (keys, count) = found.entry(who.clone()).or_default();
                keys.extend(uses.into_iter().flat_map(|one| one.keys));
                *count += 1;
            }
        }
        found
    }

    /// Whose new pods would be refused, and why.
    pub(super) fn refused(&self, maps: &Maps) -> BTreeMap<Workload, String> {
        let users = self.users.iter();
        let refused = users.filter_map(|user| {
            let refusal = rewrite(&user.pod, None, maps).err()?;
            Some((user.who.clone(), refusal.to_string()))
        });
        refused.collect()
    }
}

fn text<'o>(object: &'o Value, pointer: &str) -> &'o str {
    let text = object.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}

fn identity(object: &Value) -> Workload {
    Workload {
        kind: text(object, "/kind").to_owned(),
        name: text(object, "/metadata/name").to_owned(),
    }
}

fn controller(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

fn topmost(pod: &Value, by_uid: &HashMap<&str, &Value>) -> Workload {
    let mut object = pod;
    for _ in 0..STEPS {
        let Some(owner) = controller(object) else {
            break;
        };
        match by_uid.get(text(owner, "/uid")) {
            Some(known) => object = known,
            None => {
                return Workload {
                    kind: text(owner, "/kind").to_owned(),
                    name: text(owner, "/name").to_owned(),
                };
            }
        }
    }
    identity(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owned(kind: &str, name: &str, uid: &str, owner: Option<(&str, &str)>, spec: Value) -> Value {
        let api = if kind == "Pod" { "v1" } else { "apps/v1" };
        let owners: Vec<Value> = owner
            .iter()
            .map(|(kind, uid)| json!({"kind": kind, "name": "o", "uid": uid, "controller": true}))
            .collect();
        json!({"apiVersion": api, "kind": kind, "spec": spec,
            "metadata": {"name": name, "uid": uid, "ownerReferences": owners}})
    }

    /// Pods are told of by what a person wrote, and by themselves where nobody
    /// made them, or what did is not known.
    #[test]
    fn pods_are_told_of_by_what_a_person_wrote() {
        let spec = json!({"containers": [{"name": "a",
            "envFrom": [{"configMapRef": {"name": "app"}}]}]});
        let template = json!({"template": {"spec": spec}});
        let workloads = [
            owned("Deployment", "web", "d", None, template.clone()),
            owned(
                "ReplicaSet",
                "web-1",
                "r",
                Some(("Deployment", "d")),
                template,
            ),
        ];
        let pods = [
            owned(
                "Pod",
                "web-1-a",
                "1",
                Some(("ReplicaSet", "r")),
                spec.clone(),
            ),
            owned(
                "Pod",
                "web-1-b",
                "2",
                Some(("ReplicaSet", "r")),
                spec.clone(),
            ),
            owned("Pod", "bare", "3", None, spec.clone()),
            owned("Pod", "job-a", "4", Some(("Job", "unseen")), spec),
        ];
        let users = Users::of(&workloads, &pods);
        let told: Vec<String> = users.how("app").keys().map(ToString::to_string).collect();
        assert_eq!(told, ["Deployment web", "Job o", "Pod bare"]);
        let known = portcullis_relocation::pod::Known {
            exists: true,
            keys: ["K".to_owned()].into(),
            text: ["K".to_owned()].into(),
            ..Default::default()
        };
        let readers = users.readers(&Maps::from([("app".to_owned(), known)]));
        let counts: Vec<(String, usize)> = readers
            .into_iter()
            .map(|(who, (_, count))| (who.to_string(), count))
            .collect();
        let expected = [("Deployment web", 2), ("Job o", 1), ("Pod bare", 1)];
        assert_eq!(counts, expected.map(|(who, count)| (who.to_owned(), count)));
    }
}
