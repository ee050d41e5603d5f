//! From what is known of a namespace, and what policies want there, to what is
//! to be done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use portcullis_contract::Unless;
use serde_json::Value;

use super::acting::key_of;
use super::shelf::Shelf;
use super::sources::Source;
use super::telling;
use super::{Came, Keeper};
use crate::cluster::effects::Resource;
use crate::cluster::effects::covered::resource;
use crate::cluster::effects::plan::{Answer, Asked, Existing, Silence, plan};
use crate::policy::PolicyName;
use crate::policy::effect::Wanted;
use crate::policy::effect::object::policy_of;
use crate::policy::effect::unless::holds;

impl Keeper {
    /// Plans what is to be done where policies gave these answers. Where one of them
    /// broke it is asked again after a while.
    pub(super) fn go_on(&mut self, namespace: String, asked: &Asked) {
        let Asked { answers, silent } = asked;
        let is_whole = !silent.values().any(|why| matches!(why, Silence::Broken(_)));
        self.tell_silence(&namespace, silent);
        self.learn(answers);
        if !self.knows(answers) {
            // A list that is only under way is no news.
            if self.misses_lists() || !self.tallies.contains_key(&namespace) {
                let policies = answers.iter().map(|answer| &answer.policy);
                let tally = telling::unknown(policies.chain(silent.keys()));
                self.tallies.insert(namespace.clone(), tally);
            }
            self.queue.done(&namespace, is_whole, Instant::now());
            self.parked.insert(namespace);
            return;
        }
        let existing = self.existing(&namespace);
        {
            let mut past = self.acting.past();
            existing
                .iter()
                .for_each(|one| past.repairs.saw(key_of(one)));
        }
        let acts = plan(answers, &existing, |wanted| self.covers(wanted));
        let mut tally = telling::tally(answers, &acts, |wanted| self.covers(wanted));
        tally.extend(telling::unknown(silent.keys()));
        self.tallies.insert(namespace.clone(), tally);
        if acts.is_empty() {
            self.queue.done(&namespace, is_whole, Instant::now());
            return;
        }
        let acting = Arc::clone(&self.acting);
        self.tasks.spawn(async move {
            let mut is_well = is_whole;
            for act in acts {
                is_well &= acting.act(act).await;
            }
            Came::Acted(namespace, is_well)
        });
    }

    /// Says why a policy does not say what it wants, once.
    fn tell_silence(&self, namespace: &str, silent: &BTreeMap<PolicyName, Silence>) {
        let before = self.tallies.get(namespace);
        for (policy, silence) in silent {
            let before = before.and_then(|tallies| tallies.get(policy));
            if before.is_some_and(|tally| tally.unknown > 0) {
                continue;
            }
            let (Silence::Broken(problem) | Silence::Denied(problem)) = silence;
            let policy = policy.as_str();
            let what = "what it wants in a namespace is not known; what is there stays";
            tracing::warn!(namespace, policy, problem, "{what}");
        }
    }

    /// How policies write their kinds, and what may cover them.
    fn learn(&mut self, answers: &[Answer]) {
        let mut is_new = false;
        for wanted in answers.iter().flat_map(|answer| &answer.wanted) {
            let (kind, written) = (&wanted.effect.kind, Resource::of(&wanted.effect));
            let before = self.resources.get(kind);
            // Of several versions that policies write, the first is taken.
            if before.is_none_or(|(_, is_written)| !is_written) {
                is_new |= before.is_none_or(|(before, _)| *before != written);
                self.resources.insert(kind.clone(), (written, true));
            }
            for unless in &wanted.effect.unless {
                is_new |= self.covering.insert(resource(unless));
            }
        }
        if is_new {
            self.look();
        }
    }

    /// Whether everything is known that these answers are about.
    fn knows(&self, answers: &[Answer]) -> bool {
        let is_known = |resource: &Resource| {
            let shelf = self.shelves.get(&Source::Objects(resource.clone()));
            shelf.is_some_and(Shelf::is_complete)
        };
        let wanted = answers.iter().flat_map(|answer| &answer.wanted);
        let mut covering = wanted.flat_map(|wanted| &wanted.effect.unless);
        self.resources.values().all(|(one, _)| is_known(one))
            && covering.all(|unless| is_known(&resource(unless)))
    }

    /// Whether something that is looked at cannot be listed.
    fn misses_lists(&self) -> bool {
        let mut failing = self.problems.keys();
        failing.any(|source| self.sources.has(source))
    }

    /// Ours in a namespace.
    fn existing(&self, namespace: &str) -> Vec<Existing> {
        let mut existing = Vec::new();
        for (kind, (resource, _)) in &self.resources {
            let shelf = self.shelves.get(&Source::Objects(resource.clone()));
            let there = shelf.into_iter().flat_map(|shelf| shelf.of(namespace));
            let ours = there.filter(|one: &Value| policy_of(one).is_some());
            existing.extend(ours.map(|object| Existing::new(kind, resource, object)));
        }
        existing
    }

    fn covers(&self, wanted: &Wanted) -> bool {
        let is_met = |unless: &Unless| {
            let shelf = self.shelves.get(&Source::Objects(resource(unless)));
            let namespace = match unless.cluster {
                true => "",
                false => &wanted.namespace,
            };
            shelf.is_some_and(|shelf| shelf.of(namespace).any(|object| holds(unless, &object)))
        };
        wanted.effect.unless.iter().any(is_met)
    }
}
