//! What the leader writes goes with the installation (`cluster::anchor`), and
//! comes to an end with it.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta};

use super::{LOOK, Leader, Registered};
use crate::cluster::anchor::api::adopt;
use crate::cluster::anchor::{Going, Standing, is_anchored};
use crate::cluster::certificates::api as certificates;
use crate::cluster::lease::api as lease;
use crate::cluster::state::{self, State};

impl Leader {
    /// Takes away what is registered, without waiting for the garbage
    /// collector. A configuration that no anchor ever owned stays where the
    /// anchor is missing: the manifests may be on their way.
    ///
    /// # Errors
    ///
    /// Always: why nothing is registered.
    pub(super) async fn leave(&mut self, going: &Going) -> Result<Duration> {
        for slot in self.slots.clone() {
            let Some(live) = slot.read().await? else {
                continue;
            };
            let goes = match going {
                Going::Namespace(_) => true,
                Going::Anchor(name) => {
                    let metadata: ObjectMeta = serde_json::from_value(live["metadata"].clone())?;
                    is_anchored(name, &metadata)
                }
            };
            if goes {
                slot.delete().await?;
                tracing::warn!(kind = ?slot.kind, name = slot.name, "deregistered: the installation is being removed");
            }
        }
        self.applied.clear();
        self.open_since.clear();
        self.told.send_replace(Some(Registered {
            status: false,
            reason: "Removed",
            message: going.line(),
        }));
        Err(anyhow!(going.line()))
    }

    /// Whether all goes with the installation.
    pub(super) fn say_anchored(&self, state: &mut State, standing: &Standing, now: Timestamp) {
        let problem = self.anchor.problem();
        let (status, reason, message) = match (standing, &problem) {
            (Standing::Without(why), _) => (false, "NoAnchor", why.as_str()),
            (_, Some(problem)) => (false, "NotOfNamespace", problem.as_str()),
            (_, None) => (true, "AsAsked", ""),
        };
        if !status && !state.says("Anchored", message) {
            tracing::warn!("{message}");
        }
        state.say("Anchored", status, reason, message, &now.to_string());
    }

    /// Has what was there before belong to the anchor, too: of an older
    /// version, or of an installation before this one.
    pub(super) async fn adopt(&mut self, owner: &OwnerReference, has_certificates: bool) {
        let is_done = |(uid, at): &(String, Instant)| *uid == owner.uid && at.elapsed() < LOOK;
        if self.adopted.as_ref().is_some_and(is_done) {
            return;
        }
        let namespace = &self.home.namespace;
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), namespace);
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let mut adopted = vec![
            (state::NAME, adopt(&self.maps, state::NAME, owner).await),
            (lease::NAME, adopt(&leases, lease::NAME, owner).await),
        ];
        // Only a Secret that is ours.
        if has_certificates {
            let name = certificates::NAME;
            adopted.push((name, adopt(&secrets, name, owner).await));
        }
        for (name, adopted) in adopted {
            if let Err(error) = adopted {
                tracing::warn!(name, %error, "an uninstallation leaves this object behind");
            }
        }
        self.adopted = Some((owner.uid.clone(), Instant::now()));
    }
}
