//! The webhook configurations, one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::Result;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::{Bundle, Leader, Written};
use crate::cluster::registrations::api::Slot;
use crate::cluster::registrations::{self, Closing, Fate, ca_of, fate, is_blank, staged};
use crate::cluster::safety::Need;
use crate::cluster::state::{Away, How, Kind, State};
use crate::registration::{self, target::CaBundle};

impl Leader {
    pub(super) async fn registrations(
        &mut self,
        state: &mut State,
        bundle: Bundle,
        owner: Option<&OwnerReference>,
        now: Timestamp,
    ) -> Result<Written> {
        let set = self.set.load_full();
        let mut wish = self.options.wish.clone();
        if let Bundle::Known(pem) = &bundle {
            wish.registration.ca_bundle = Some(CaBundle::parse(pem.as_bytes())?);
        }
        let mut asked = wish.configurations(&set);
        if let Some(owner) = owner {
            let both = asked.iter_mut();
            both.for_each(|asked| registrations::owned(asked, owner));
        }
        state.excluded_namespaces = wish.registration.excluded(&set);
        [state.namespace_selector, state.object_selector] = self.options.selectors.clone();
        state.say_base(self.options.profile, &now.to_string());
        let judged = self.judged(&asked).await;
        self.say_withheld(state, judged.as_ref().ok(), now);
        let mut problems = Vec::new();
        for (slot, asked) in self.slots.clone().iter().zip(&asked) {
            let done = self.one(slot, asked, &bundle, judged.as_ref().ok(), state, now);
            problems.extend(done.await.err().map(|error| format!("{error:#}")));
        }
        let is_written = problems.is_empty();
        problems.extend(judged.err().map(|error| format!("{error:#}")));
        problems.extend(registration::unknown(&set).map(|unknown| unknown.to_string()));
        problems.dedup();
        Ok(Written {
            is_written,
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
        })
    }

    async fn one(
        &mut self,
        slot: &Slot,
        asked: &Value,
        bundle: &Bundle,
        judged: Option<&BTreeSet<Need>>,
        state: &mut State,
        now: Timestamp,
    ) -> Result<()> {
        let live = slot.read().await?;
        let is_there = live.as_ref().is_some_and(|live| !is_blank(live));
        match fate(slot.kind, state, is_there) {
            Fate::Away => {}
            Fate::Delete => slot.delete().await?,
            Fate::Broken => self.broken(slot, state, now),
            Fate::Apply => {
                self.apply(slot, asked, bundle, live.as_ref(), judged)
                    .await?;
                state.registered.insert(slot.kind);
                return Ok(());
            }
        }
        self.applied.remove(&slot.kind);
        self.open_since.remove(&slot.kind);
        Ok(())
    }

    /// Somebody broke the glass.
    fn broken(&self, slot: &Slot, state: &mut State, now: Timestamp) {
        state.registered.remove(&slot.kind);
        let away = Away {
            how: How::Deleted,
            by: String::new(),
            at: now.to_string(),
            other: BTreeMap::new(),
        };
        state.away.insert(slot.kind, away);
        tracing::warn!(
            kind = ?slot.kind, name = slot.name,
            "a webhook configuration was deleted and stays away until `portcullis resume`"
        );
    }

    async fn apply(
        &mut self,
        slot: &Slot,
        asked: &Value,
        bundle: &Bundle,
        live: Option<&Value>,
        judged: Option<&BTreeSet<Need>>,
    ) -> Result<()> {
        let known = live.filter(|live| !is_blank(live));
        let wanted = match known {
            None => {
                // Who injects the CA needs something to write it into.
                if let Bundle::Known(pem) = bundle {
                    self.options.self_call.call(Some(pem)).await?;
                }
                staged(asked, None, Closing::Hold)
            }
            Some(live) => {
                let closing = self.closing(slot.kind, asked, bundle, live, judged).await?;
                staged(asked, Some(live), closing)
            }
        };
        let holds = known.is_some_and(|live| registrations::holds(&wanted, live));
        if !holds {
            if known.is_some() && self.applied.get(&slot.kind) == Some(&wanted) {
                self.metrics.mend();
                tracing::warn!(kind = ?slot.kind, name = slot.name, "an edited webhook configuration is mended");
            }
            slot.write(&wanted, live).await?;
            tracing::info!(kind = ?slot.kind, name = slot.name, entries = %summary(&wanted), "registered");
        }
        self.applied.insert(slot.kind, wanted);
        Ok(())
    }

    /// Whether entries may fail closed now.
    async fn closing(
        &mut self,
        kind: Kind,
        asked: &Value,
        bundle: &Bundle,
        live: &Value,
        judged: Option<&BTreeSet<Need>>,
    ) -> Result<Closing> {
        match judged {
            // Not known: nothing new fails closed.
            None => return Ok(Closing::Hold),
            Some(judged) if !judged.is_empty() => return Ok(Closing::Withheld),
            Some(_) => {}
        }
        if !registrations::waits_to_close(asked, live) {
            self.open_since.remove(&kind);
            self.open_because = None;
            return Ok(Closing::Hold);
        }
        // An edit is mended whether or not the Service answers just now.
        if self.applied.get(&kind) == Some(asked) {
            return Ok(Closing::Allowed);
        }
        let since = *self.open_since.entry(kind).or_insert_with(Instant::now);
        if since.elapsed() < self.options.settle {
            return Ok(Closing::Hold);
        }
        let pem = match bundle {
            Bundle::Known(pem) => Some(pem.clone()),
            Bundle::Injected => ca_of(live),
        };
        match self.options.self_call.call(pem.as_deref()).await {
            Ok(()) => Ok(Closing::Allowed),
            Err(error) => {
                self.stays_open(format!("failurePolicy stays Ignore for now: {error:#}"));
                Ok(Closing::Hold)
            }
        }
    }

    /// Said once, not with every pass.
    fn stays_open(&mut self, because: String) {
        if self.open_because.as_ref() != Some(&because) {
            tracing::warn!("{because}");
        }
        self.open_because = Some(because);
    }
}

/// `fail.validate.portcullis.dev=Ignore ...`, for the log.
fn summary(configuration: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = registrations::entries(configuration).iter();
    let lines =
        entries.map(|entry| format!("{}={}", text(&entry["name"]), text(&entry["failurePolicy"])));
    lines.collect::<Vec<_>>().join(" ")
}
