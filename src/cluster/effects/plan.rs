//! What is to be done in one namespace, given what policies want there and
//! what is there. Pure.

use serde_json::Value;

use super::Resource;
use crate::policy::effect::Wanted;
use crate::policy::effect::object::{Step, is_untouched, policy_of, step};
use crate::policy::{Decision, PolicyName, PolicySet};

/// What a policy that was asked about a namespace wants there; nothing, if it
/// is not to be looked after any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The policy.
    pub policy: PolicyName,
    /// What it wants.
    pub wanted: Vec<Wanted>,
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

/// The answers of those policies that have effects, were asked, and had
/// nothing against the namespace itself. What the others wanted before stays.
pub fn answers(set: &PolicySet, decision: &Decision) -> Vec<Answer> {
    use crate::policy::Action;
    let is_told = |policy: &&PolicyName| {
        let denies = decision
            .findings
            .iter()
            .any(|judged| judged.policy == **policy && judged.actions.action == Action::Deny);
        let breaks = decision.failures.iter().any(|one| one.policy == **policy);
        !denies && !breaks
    };
    let has_effects = |policy: &&PolicyName| {
        let description = set
            .get(policy.as_str())
            .and_then(|p| p.description.as_ref());
        description.is_some_and(|description| !description.effects.is_empty())
    };
    let asked = decision.evaluations.iter().map(|one| &one.policy);
    let told = asked.filter(has_effects).filter(is_told);
    told.map(|policy| {
        let wanted = decision.effects.iter().filter(|one| one.policy == *policy);
        Answer {
            policy: policy.clone(),
            wanted: wanted.cloned().collect(),
        }
    })
    .collect()
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
