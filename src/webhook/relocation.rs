//! `/relocate/...`: policies say what is secret, the cluster moves it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use portcullis_contract::pointer;
use portcullis_contract::reads::Outline;

use super::Webhook;
use super::recorded::Recorded;
use super::surroundings::{Entry, NO_CLUSTER, Relocated};
use crate::admit::{self, Scope};
use crate::policy::Decision;
use crate::policy::decision::{self, plain};
use crate::review::{self, Request, Review};
use crate::server::{Call, Half, Reply};

impl Webhook {
    /// Answers a review of a ConfigMap or Pod in a namespace that is enrolled.
    pub(super) async fn relocate(&self, call: Call, half: Half) -> Reply {
        let arrived = Instant::now();
        let outline = Arc::new(Outline::whole(false));
        let Review { uid, request } = match super::decode(call.body, outline).await {
            Ok(review) => review,
            Err(malformed) => {
                self.metrics.rejection("body");
                return super::text(400, &malformed.to_string());
            }
        };
        let body = match request {
            Ok(request) => {
                let recorded = Recorded {
                    phase: match half {
                        Half::Move => "relocate/mutate",
                        Half::Check => "relocate/validate",
                    },
                    group: "",
                    arrived,
                };
                let relocated = self.relocated(request, half, call.deadline, &recorded);
                match relocated.await {
                    Relocated::Denied(why) => review::encode_refusal(&uid, &why),
                    Relocated::Allowed { patch, warnings } => {
                        let lines = warnings.iter().map(|line| plain(line));
                        review::encode_changed(&uid, &patch, &decision::warnings(lines))
                    }
                }
            }
            Err(problem) => review::encode_refusal(&uid, &problem),
        };
        Reply { status: 200, body }
    }

    async fn relocated(
        &self,
        request: Request,
        half: Half,
        deadline: Instant,
        recorded: &Recorded,
    ) -> Relocated {
        let Some(around) = self.surroundings.as_deref() else {
            return Relocated::Denied(NO_CLUSTER.to_owned());
        };
        if !around.is_ready() {
            let why = "the policies of the cluster are not known yet: try again";
            return Relocated::Denied(why.to_owned());
        }
        let (request, decision) = match request.attributes.resource.as_str() {
            "configmaps" => {
                let scope = Scope {
                    phase: admit::Phase::Validate,
                    failure_policy: None,
                    moving: true,
                };
                let set = self.set.load_full();
                self.decide(set, request, scope, deadline).await
            }
            _ => (request, Decision::default()),
        };
        if let Some(broken) = decision.failures.first() {
            // What is secret is not known: nothing passes by guessing.
            let why = format!(
                "policy {}, which says what is secret, gave no verdict: {}; to try again is safe",
                broken.policy, broken.failure.message
            );
            self.judged(&request, &decision);
            self.answered(true, recorded, &request, &decision);
            return Relocated::Denied(why);
        }
        let found = entries(&decision);
        let relocated = around.relocate(&request, half, &found, deadline).await;
        let relocated = relocated.unwrap_or_else(|problem| {
            Relocated::Denied(format!(
                "secrets cannot be moved: {problem}; to try again is safe"
            ))
        });
        let denied = matches!(relocated, Relocated::Denied(_));
        self.answered(denied, recorded, &request, &decision);
        relocated
    }
}

/// The entries that policies want moved, each once.
pub fn entries(decision: &Decision) -> Vec<Entry> {
    let moving = decision.findings.iter().filter(|one| one.actions.moves);
    let mut found = BTreeMap::new();
    for judged in moving {
        let mut steps = pointer::tokens(&judged.finding.path);
        let (Some(part), Some(key)) = (steps.next(), steps.next()) else {
            continue;
        };
        let binary = match part.as_str() {
            "data" => false,
            "binaryData" => true,
            _ => continue,
        };
        found
            .entry((binary, key))
            .or_insert_with(|| judged.finding.message.clone());
    }
    let entry = |((binary, key), why)| Entry { binary, key, why };
    found.into_iter().map(entry).collect()
}
