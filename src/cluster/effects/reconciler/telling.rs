//! What is said of all namespaces together: how many have what a policy wants,
//! and whether anybody enforces it. In the status of the policy, under a name
//! of its own, and as a gauge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::cluster::audit::lists::{Lists, Problem};
use crate::cluster::audit::walk;
use crate::cluster::effects::plan::{Act, Answer};
use crate::cluster::object;
use crate::cluster::status::Condition;
use crate::network::enforcing::{Enforcing, enforcing};
use crate::policy::effect::Wanted;
use crate::policy::spec::{API_VERSION, KIND};
use crate::policy::{PolicyName, PolicySet};
use crate::telemetry::Metrics;

/// Who owns these conditions: others are others'.
const FIELD_MANAGER: &str = "portcullis-effects";
/// The condition that speaks of the objects that a policy wants.
pub const IN_PLACE: &str = "EffectsInPlace";
/// The condition that speaks of who enforces NetworkPolicies.
pub const ENFORCED: &str = "NetworkPoliciesEnforced";
/// What policies want that need it.
const NETWORK_POLICIES: &str = "networkpolicies.networking.k8s.io";
/// How long a look at the network plugin counts: they do not come and go.
const LOOK: Duration = Duration::from_secs(300);

/// How many objects that a policy wants are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// There, as wanted.
    pub made: usize,
    /// Needless, since others cover it.
    pub covered: usize,
    /// Not there, or not as wanted.
    pub waiting: usize,
    /// Namespaces in which it is not known what is wanted, or whether others cover it.
    pub unknown: usize,
}

/// What has been told.
pub(super) struct Telling {
    client: Client,
    metrics: Arc<Metrics>,
    enforcing: Option<(Instant, Enforcing)>,
    told: BTreeMap<PolicyName, Vec<Says>>,
}

/// A condition without its time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Says {
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

/// What is the case in one namespace, by policy; `acts` are still to be done
/// there.
pub(super) fn tally(
    answers: &[Answer],
    acts: &[Act],
    covers: impl Fn(&Wanted) -> bool,
) -> BTreeMap<PolicyName, Tally> {
    let is_waiting = |wanted: &Wanted| {
        let is_it =
            |act: &Act| matches!(act, Act::Ensure { wanted: other, .. } if **other == *wanted);
        acts.iter().any(is_it)
    };
    let mut all = BTreeMap::<PolicyName, Tally>::new();
    for answer in answers {
        let tally = all.entry(answer.policy.clone()).or_default();
        for wanted in &answer.wanted {
            let count = if covers(wanted) {
                &mut tally.covered
            } else if is_waiting(wanted) {
                &mut tally.waiting
            } else {
                &mut tally.made
            };
            *count += 1;
        }
    }
    all
}

/// One namespace in which nothing is known of these policies.
pub(super) fn unknown<'p>(
    policies: impl Iterator<Item = &'p PolicyName>,
) -> BTreeMap<PolicyName, Tally> {
    let tally = Tally {
        unknown: 1,
        ..Tally::default()
    };
    policies.map(|policy| (policy.clone(), tally)).collect()
}

/// All namespaces together, for each policy in force that asks for effects.
pub(super) fn sum<'t>(
    set: &PolicySet,
    tallies: impl Iterator<Item = &'t BTreeMap<PolicyName, Tally>>,
) -> BTreeMap<PolicyName, Tally> {
    let with_effects = set
        .policies()
        .iter()
        .filter(|policy| wants(policy, |_| true));
    let mut all: BTreeMap<PolicyName, Tally> = with_effects
        .map(|policy| (policy.name.clone(), Tally::default()))
        .collect();
    for (name, tally) in tallies.flatten() {
        if let Some(sum) = all.get_mut(name) {
            sum.made += tally.made;
            sum.covered += tally.covered;
            sum.waiting += tally.waiting;
            sum.unknown += tally.unknown;
        }
    }
    all
}

/// Whether a policy in force asks for an effect like this.
fn wants(policy: &crate::policy::Policy, is_it: impl Fn(&str) -> bool) -> bool {
    let description = policy
        .description
        .as_ref()
        .filter(|_| policy.program.is_ok());
    description.is_some_and(|description| description.effects.iter().any(|one| is_it(one)))
}

impl Telling {
    pub(super) fn new(client: Client, metrics: Arc<Metrics>) -> Telling {
        Telling {
            client,
            metrics,
            enforcing: None,
            told: BTreeMap::new(),
        }
    }

    /// Another replica looks after it, or nobody has to.
    pub(super) fn stop(&mut self) {
        self.metrics.effects(&BTreeMap::new());
        self.told.clear();
    }

    /// Says it where it is not what was said last. What cannot be said now is
    /// with the next pass.
    pub(super) async fn tell(&mut self, set: &PolicySet, all: BTreeMap<PolicyName, Tally>) {
        self.metrics.effects(&all);
        let names =
            |policy: &&crate::policy::Policy| wants(policy, |kind| kind == NETWORK_POLICIES);
        let networks: BTreeSet<&PolicyName> = set
            .policies()
            .iter()
            .filter(names)
            .map(|policy| &policy.name)
            .collect();
        if !networks.is_empty() {
            self.look().await;
        }
        let mut says: BTreeMap<PolicyName, Vec<Says>> = BTreeMap::new();
        for (policy, tally) in all {
            let enforcing = self.enforcing.as_ref().map(|(_, enforcing)| enforcing);
            let enforcing = enforcing
                .filter(|_| networks.contains(&policy))
                .map(enforced);
            let conditions = [Some(in_place(tally)), enforcing];
            says.insert(policy, conditions.into_iter().flatten().collect());
        }
        if says == self.told {
            return;
        }
        match self.write(&says).await {
            Ok(()) => self.told = says,
            Err(error) => tracing::warn!(%error, "what came of effects could not be told"),
        }
    }

    async fn look(&mut self) {
        let is_fresh = |(at, _): &(Instant, Enforcing)| at.elapsed() < LOOK;
        if self.enforcing.as_ref().is_some_and(is_fresh) {
            return;
        }
        let enforcing = look(&self.client).await.unwrap_or_else(|problem| {
            tracing::warn!(%problem, "who enforces NetworkPolicies could not be looked at");
            Enforcing::Unknown
        });
        self.enforcing = Some((Instant::now(), enforcing));
    }

    async fn write(&self, says: &BTreeMap<PolicyName, Vec<Says>>) -> kube::Result<()> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &object::resource());
        for policy in api.list(&ListParams::default()).await?.items {
            let name = policy.name_any();
            let Some((_, says)) = says.iter().find(|(known, _)| known.as_str() == name) else {
                continue;
            };
            let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let before = object::status(&policy);
            let conditions = says.iter().map(|one| {
                let known = before.condition(one.kind);
                one.condition(known, object::generation(&policy), &now)
            });
            let conditions: Vec<Condition> = conditions.collect();
            if conditions
                .iter()
                .all(|one| before.condition(&one.r#type) == Some(one))
            {
                continue;
            }
            let document = json!({"apiVersion": API_VERSION, "kind": KIND,
                "metadata": {"name": name, "uid": policy.uid()},
                "status": {"conditions": conditions}});
            let by = PatchParams::apply(FIELD_MANAGER).force();
            match api.patch_status(&name, &by, &Patch::Apply(document)).await {
                // Deleted meanwhile, or deleted and made anew.
                Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {}
                written => drop(written?),
            }
        }
        Ok(())
    }
}

impl Says {
    fn condition(&self, before: Option<&Condition>, generation: i64, now: &str) -> Condition {
        let since = before.filter(|before| before.status == self.status);
        let since = since.map_or(now, |before| &before.last_transition_time);
        Condition {
            r#type: self.kind.to_owned(),
            status: self.status.to_owned(),
            observed_generation: Some(generation),
            last_transition_time: since.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message.clone(),
        }
    }
}

fn in_place(tally: Tally) -> Says {
    let Tally {
        made,
        covered,
        waiting,
        unknown,
    } = tally;
    let (status, reason) = match (waiting, unknown) {
        (0, 0) => ("True", "InPlace"),
        (0, _) => ("Unknown", "NotKnown"),
        _ => ("False", "Waiting"),
    };
    let mut message = format!(
        "of what it wants in namespaces {made} are there, {covered} are needless since others \
         cover them, {waiting} are not there yet or not as wanted (see Events)"
    );
    if unknown > 0 {
        message += &format!(
            "; of {unknown} namespaces it is not known, since it fails there or refuses them as they \
             are, or something cannot be listed (see the log of the replica that leads)"
        );
    }
    Says {
        kind: IN_PLACE,
        status,
        reason,
        message,
    }
}

fn enforced(enforcing: &Enforcing) -> Says {
    let (status, reason, message) = match enforcing {
        Enforcing::By(who) => (
            "True",
            "PluginFound",
            format!("{who} enforces NetworkPolicies"),
        ),
        Enforcing::Nobody(why) => (
            "False",
            "PluginMissing",
            format!("nobody enforces NetworkPolicies, so that they close nothing: {why}"),
        ),
        Enforcing::Unknown => (
            "Unknown",
            "PluginUnknown",
            "no network plugin was found that is known to enforce NetworkPolicies; whether yours \
             does is for its documentation to say"
                .to_owned(),
        ),
    };
    Says {
        kind: ENFORCED,
        status,
        reason,
        message,
    }
}

/// Who enforces NetworkPolicies, by DaemonSets and nodes.
async fn look(client: &Client) -> Result<Enforcing, Problem> {
    let mut lists = Lists::new(client.clone(), 100, None);
    let (mut daemon_sets, mut nodes) = (vec![], vec![]);
    let mut take = |one: Value| daemon_sets.push(one);
    walk::each(&mut lists, "/apis/apps/v1/daemonsets", &mut take).await?;
    // The nodes of a cluster are of one kind; a few tell it.
    let page = lists.page("/api/v1/nodes", 5, None).await?;
    let page: Value = serde_json::from_str(&page).unwrap_or_default();
    nodes.extend(page["items"].as_array().into_iter().flatten().cloned());
    Ok(enforcing(&daemon_sets, &nodes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_while_nothing_waits_and_counts_all() {
        let tally = Tally {
            made: 3,
            covered: 2,
            ..Tally::default()
        };
        let says = in_place(tally);
        assert_eq!((says.status, says.reason), ("True", "InPlace"));
        let says = in_place(Tally {
            unknown: 4,
            ..tally
        });
        assert_eq!((says.status, says.reason), ("Unknown", "NotKnown"));
        assert!(says.message.contains("of 4 namespaces"), "{}", says.message);
        let says = in_place(Tally {
            waiting: 1,
            ..tally
        });
        assert_eq!((says.status, says.reason), ("False", "Waiting"));
        for part in ["3 are there", "2 are needless", "1 are not there yet"] {
            assert!(says.message.contains(part), "{}", says.message);
        }
    }

    #[test]
    fn what_is_not_known_is_not_missing() {
        assert_eq!(enforced(&Enforcing::Unknown).status, "Unknown");
        assert_eq!(enforced(&Enforcing::Nobody("why")).status, "False");
        assert_eq!(enforced(&Enforcing::By("Cilium")).status, "True");
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let says = enforced(&Enforcing::Unknown);
        let first = says.condition(None, 1, "2026-01-01T00:00:00Z");
        let again = says.condition(Some(&first), 2, "2026-01-02T00:00:00Z");
        assert_eq!(again.last_transition_time, "2026-01-01T00:00:00Z");
        let other = enforced(&Enforcing::Nobody("why"));
        let other = other.condition(Some(&first), 2, "2026-01-02T00:00:00Z");
        assert_eq!(other.last_transition_time, "2026-01-02T00:00:00Z");
    }
}
