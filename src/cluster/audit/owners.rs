//! Findings of objects that a controller made are its owner's: forty Pods of
//! a Deployment say nothing that the Deployment does not.
//!
//! Anybody can write an owner into an object. So nothing is passed over for
//! its owner: it is judged like all others, and a finding is left out only
//! where the owner has the same one. What it does not have (a sidecar that
//! somebody injected) is told once, at the topmost owner.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use crate::finding::{Finding, Identity, fingerprint};
use crate::policy::decision::plain;

/// Kinds that people do not write where they have an owner: what they are
/// found to be is said of that.
const MADE: [&str; 4] = ["Job", "Pod", "ReplicaSet", "ReplicationController"];
/// Pod, ReplicaSet, Deployment; Pod, Job, CronJob: longer chains are forged.
const LONGEST: usize = 6;

/// An object that another is controlled by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// As written.
    pub api_version: String,
    /// As written.
    pub kind: String,
    /// As written.
    pub name: String,
    /// As written.
    pub uid: String,
}

impl Owner {
    /// The controller of an object of a kind whose findings are its
    /// controller's. A Node is none: it stands by the Pods it reports.
    pub fn of(object: &Value) -> Option<Owner> {
        let kind = text(object, "/kind");
        let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
        let is_controller = |owner: &&Value| owner["controller"].as_bool() == Some(true);
        let owner = owners.iter().find(is_controller)?;
        let member = |name: &str| text(owner, name).to_owned();
        let owner = Owner {
            api_version: member("/apiVersion"),
            kind: member("/kind"),
            name: member("/name"),
            uid: member("/uid"),
        };
        (MADE.contains(&kind) && owner.kind != "Node" && !owner.uid.is_empty()).then_some(owner)
    }

    /// Whether it may have an owner of its own.
    pub fn is_made(&self) -> bool {
        MADE.contains(&self.kind.as_str())
    }
}

/// Whether this is the past of an owner: a ReplicaSet that is scaled to nothing.
pub fn is_history(object: &Value) -> bool {
    let replicas = object.pointer("/spec/replicas").and_then(Value::as_u64);
    text(object, "/kind") == "ReplicaSet" && replicas == Some(0) && Owner::of(object).is_some()
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    let text = object.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}

/// What was found, as little of it as is needed.
#[derive(Debug, Default)]
pub struct Found {
    findings: Vec<Finding>,
    /// The uid of the object of each, by its fingerprint.
    uids: HashMap<String, String>,
    /// Which finding which object has.
    has: HashSet<(String, Rule)>,
    /// Findings of objects with this owner.
    made: HashMap<(String, Rule), Made>,
    /// The owners of objects that may be owners or have findings, by their uid.
    owners: HashMap<String, Option<Owner>>,
}

/// What tells two findings of an object apart: policy, code, container, and the
/// exemption. What is denied of a Pod is not told by what its owner is forgiven.
type Rule = (String, String, Option<String>, Option<String>);

/// The same finding of several objects with the same owner.
#[derive(Debug)]
struct Made {
    owner: Owner,
    first: Finding,
    count: usize,
}

impl Found {
    /// What is known of an object's owner. Only of those that may be owners
    /// themselves it needs to be kept.
    pub fn learn(&mut self, object: &Value, owner: Option<&Owner>) {
        let kind = text(object, "/kind");
        if kind != "Pod" && MADE.contains(&kind) {
            self.know(text(object, "/metadata/uid"), owner.cloned());
        }
    }

    /// The owner of the object of this uid.
    pub fn know(&mut self, uid: &str, owner: Option<Owner>) {
        self.owners.insert(uid.to_owned(), owner);
    }

    /// A finding of the object `uid`.
    pub fn add(&mut self, finding: Finding, uid: &str, owner: Option<&Owner>) {
        self.has.insert((uid.to_owned(), rule(&finding)));
        let Some(owner) = owner else {
            self.uids
                .insert(finding.fingerprint.clone(), uid.to_owned());
            return self.findings.push(finding);
        };
        self.know(uid, Some(owner.clone()));
        match self.made.entry((owner.uid.clone(), rule(&finding))) {
            Entry::Vacant(free) => {
                free.insert(Made {
                    owner: owner.clone(),
                    first: finding,
                    count: 1,
                });
            }
            Entry::Occupied(mut known) => known.get_mut().add(finding, 1),
        }
    }

    /// Takes what was found of another kind.
    pub fn merge(&mut self, other: Found) {
        self.findings.extend(other.findings);
        self.has.extend(other.has);
        self.uids.extend(other.uids);
        self.owners.extend(other.owners);
        for (key, made) in other.made {
            match self.made.entry(key) {
                Entry::Vacant(free) => drop(free.insert(made)),
                Entry::Occupied(mut known) => known.get_mut().add(made.first, made.count),
            }
        }
    }

    /// Owners that hang on objects nobody has listed, with their namespace.
    pub fn unknown(&self) -> Vec<(Owner, Option<String>)> {
        let mut unknown = BTreeMap::new();
        for (key, made) in &self.made {
            let (top, is_told) = self.climb(&made.owner, &key.1);
            if !is_told && top.is_made() && !self.owners.contains_key(&top.uid) {
                let namespace = made.first.object.namespace.clone();
                unknown.insert(top.uid.clone(), (top, namespace));
            }
        }
        unknown.into_values().collect()
    }

    /// The topmost owner that is known, and whether one on the way has the
    /// finding itself. Where owners own each other it is the nearest, and
    /// nobody: somebody wants to hide what he has.
    fn climb(&self, owner: &Owner, rule: &Rule) -> (Owner, bool) {
        let (mut top, mut is_told, mut seen) = (owner.clone(), false, vec![]);
        loop {
            if seen.contains(&top.uid) || seen.len() == LONGEST {
                return (owner.clone(), false);
            }
            is_told |= self.has.contains(&(top.uid.clone(), rule.clone()));
            seen.push(top.uid.clone());
            match self.owners.get(&top.uid) {
                Some(Some(next)) => top = next.clone(),
                _ => return (top, is_told),
            }
        }
    }

    /// All findings, each at the object that a person wrote; and the uid of
    /// that, by the finding's fingerprint.
    pub fn finish(mut self) -> (Vec<Finding>, HashMap<String, String>) {
        let mut told: BTreeMap<(String, Rule), Made> = BTreeMap::new();
        for (key, made) in std::mem::take(&mut self.made) {
            let (top, is_told) = self.climb(&made.owner, &key.1);
            if is_told {
                continue;
            }
            let key = (top.uid.clone(), key.1);
            match told.get_mut(&key) {
                Some(known) => known.add(made.first, made.count),
                None => drop(told.insert(key, Made { owner: top, ..made })),
            }
        }
        for made in told.into_values() {
            let uid = made.owner.uid.clone();
            let finding = made.told();
            self.uids.insert(finding.fingerprint.clone(), uid);
            self.findings.push(finding);
        }
        (self.findings, self.uids)
    }
}

impl Made {
    /// The first by name is the example, so that each audit tells the same.
    fn add(&mut self, finding: Finding, count: usize) {
        self.count += count;
        if finding.object.name < self.first.object.name {
            self.first = finding;
        }
    }

    /// The finding, as one of the owner.
    fn told(self) -> Finding {
        let Made {
            owner,
            first,
            count,
        } = self;
        let object = Identity {
            api_version: owner.api_version,
            kind: owner.kind,
            namespace: first.object.namespace.clone(),
            name: owner.name,
        };
        let (kind, name) = (&first.object.kind, &first.object.name);
        let more = match count {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let place = portcullis_contract::pointer::field_path(&first.path);
        let line = first.within.map(|within| format!(", {within}"));
        let line = line.unwrap_or_default();
        let place = match place.as_str() {
            "" => String::new(),
            place => format!("{place}{line} of "),
        };
        let found = plain(&format!("found in {place}{kind} `{name}`{more}"));
        let container = first.container.as_deref();
        Finding {
            fingerprint: fingerprint(&first.policy, &first.code, &object, container),
            message: format!("{}; {found}, which it controls", first.message),
            // That is a place in the other object.
            path: String::new(),
            within: None,
            fix: None,
            has_fix: false,
            creates: None,
            object,
            ..first
        }
    }
}

fn rule(finding: &Finding) -> Rule {
    (
        finding.policy.clone(),
        finding.code.clone(),
        finding.container.clone(),
        finding.exemption.as_ref().map(|by| by.name.clone()),
    )
}

#[cfg(test)]
mod tests;
