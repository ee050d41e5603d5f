//! What is to be done in one namespace, given what policies want there and
//! what is there. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Resource;
use crate::policy::decision::Broken;
use crate::policy::effect::Wanted;
use crate::policy::effect::object::{Step, is_untouched, policy_of, step};
use crate::policy::{Action, Decision, Judged, PolicyName, PolicySet};

/// What a policy that was asked about a namespace wants there; nothing, if it
/// is not to be looked after any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The policy.
    pub policy: PolicyName,
    /// What it wants.
    pub wanted: Vec<Wanted>,
}

/// What came of asking policies about a namespace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// What those want that could say it.
    pub answers: Vec<Answer>,
    /// Those that could not, and why, one line: what they wanted before stays.
    pub silent: BTreeMap<PolicyName, Silence>,
}

impl Asked {
    /// Why the policy that this was made for failed, one line, if it did.
    pub fn failure(&self, existing: &Existing) -> Option<&str> {
        let of = policy_of(&existing.object)?;
        let (_, silence) = self.silent.iter().find(|(one, _)| one.as_str() == of)?;
        match silence {
            Silence::Broken(why) => Some(why),
            Silence::Denied(_) => None,
        }
    }
}

/// Why a policy does not say what it wants in a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// It failed, which may pass.
    Broken(String),
    /// It has something against the namespace as it is.
    Denied(String),
}

/// An object of ours that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Existing {
    /// The kind, as effects name it.
    pub kind: String,
    /// How it is asked for.
    pub resource: Resource,
    /// As the API server has it.
    pub object: Value,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// To bring it to what is wanted.
    Ensure {
        /// What.
        wanted: Box<Wanted>,
        /// Whether somebody else changed it.
        is_repair: bool,
    },
    /// To take away what nobody wants any more.
    Remove(Box<Existing>),
    /// Nothing, since somebody changed what is to be taken away.
    Leave(Box<Existing>),
}

/// What the policies that have effects said, of those that were asked.
pub fn asked(set: &PolicySet, decision: &Decision) -> Asked {
    let has_effects = |policy: &PolicyName| {
        let policy = set.get(policy.as_str());
        let description = policy.and_then(|policy| policy.description.as_ref());
        description.is_some_and(|description| !description.effects.is_empty())
    };
    let silent = denied(decision).chain(broken(decision));
    let silent: BTreeMap<_, _> = silent.filter(|(policy, _)| has_effects(policy)).collect();
    let all = decision.evaluations.iter().map(|one| &one.policy);
    let told = all.filter(|policy| has_effects(policy) && !silent.contains_key(*policy));
    let answer = |policy: &PolicyName| {
        let wanted = decision.effects.iter().filter(|one| one.policy == *policy);
        Answer {
            policy: policy.clone(),
            wanted: wanted.cloned().collect(),
        }
    };
    let answers = told.map(answer).collect();
    Asked { answers, silent }
}

fn denied(decision: &Decision) -> impl Iterator<Item = (PolicyName, Silence)> {
    let denies = |judged: &&Judged| judged.actions.action == Action::Deny;
    decision.findings.iter().filter(denies).map(|judged| {
        let finding = &judged.finding;
        let why = format!("{}; {}", finding.message, finding.remedy);
        (judged.policy.clone(), Silence::Denied(why))
    })
}

fn broken(decision: &Decision) -> impl Iterator<Item = (PolicyName, Silence)> {
    let of = |one: &Broken| {
        let why = one.failure.message.clone();
        (one.policy.clone(), Silence::Broken(why))
    };
    decision.failures.iter().map(of)
}

/// What to do about one namespace.
pub fn plan(
    answers: &[Answer],
    existing: &[Existing],
    is_covered: impl Fn(&Wanted) -> bool,
) -> Vec<Act> {
    let mut acts = Vec::new();
    for Answer { policy, wanted } in answers {
        let wanted: Vec<&Wanted> = wanted.iter().filter(|one| !is_covered(one)).collect();
        let ours: Vec<&Existing> = existing
            .iter()
            .filter(|one| policy_of(&one.object) == Some(policy.as_str()))
            .collect();
        let is_wanted = |one: &&&Existing| wanted.iter().any(|wanted| is_same(wanted, one));
        for unwanted in ours.iter().filter(|one| !is_wanted(one)) {
            let unwanted = Box::new((*unwanted).clone());
            acts.push(match is_untouched(&unwanted.object) {
                true => Act::Remove(unwanted),
                false => Act::Leave(unwanted),
            });
        }
        for wanted in wanted {
            let there = ours.iter().find(|one| is_same(wanted, one));
            let is_repair = match step(wanted, there.map(|one| &one.object)) {
                Step::Nothing => continue,
                Step::Replace { is_repair, .. } => is_repair,
                Step::Create(_) | Step::Foreign => false,
            };
            let wanted = Box::new(wanted.clone());
            acts.push(Act::Ensure { wanted, is_repair });
        }
    }
    acts
}

fn is_same(wanted: &Wanted, existing: &Existing) -> bool {
    let name = existing.object["metadata"]["name"].as_str();
    wanted.effect.kind == existing.kind && Some(wanted.effect.name()) == name
}

impl Existing {
    /// An object that was listed.
    pub fn new(kind: &str, resource: &Resource, object: Value) -> Existing {
        Existing {
            kind: kind.to_owned(),
            resource: resource.clone(),
            object,
        }
    }

    /// The namespace that it is in.
    pub fn namespace(&self) -> &str {
        self.text("namespace")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// A member of its metadata.
    pub fn text(&self, member: &str) -> &str {
        self.object["metadata"][member].as_str().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
