//! One pass of the leader.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::Api;
use serde_json::Value;

use super::{Certificates, Options, Writes};
use crate::cluster::certificates::api::{self as certificates, Keeper, Kept};
use crate::cluster::home::Home;
use crate::cluster::registrations::api::Slot;
use crate::cluster::registrations::{self, Closing, Fate, away_line, bundle_of, fate, staged};
use crate::cluster::safety::{self, Need, World};
use crate::cluster::state::{self, Away, How, Kind, State};
use crate::policy::PolicySet;
use crate::registration::{self, target::CaBundle};
use crate::telemetry::Metrics;

/// How long a look at the cluster counts: CNI plugins do not come and go. Who
/// waits for somebody to exclude a namespace looks with every pass.
const LOOK: Duration = Duration::from_secs(30);

/// Until a pass is tried again that met another writer.
const AGAIN: Duration = Duration::from_millis(200);

/// What a pass needs, and what saves it work.
pub(super) struct Leader {
    client: Client,
    home: Home,
    options: Options,
    set: Arc<ArcSwap<PolicySet>>,
    metrics: Arc<Metrics>,
    slots: [Slot; 2],
    maps: Api<ConfigMap>,
    keeper: Option<Arc<Keeper>>,
    /// Since when entries are there that wait to fail closed.
    open_since: BTreeMap<Kind, Instant>,
    /// What was written last, so that an edit is known from a change of ours.
    applied: BTreeMap<Kind, Value>,
    looked: Option<(Instant, World)>,
    is_withheld: bool,
    problem: Option<String>,
}

/// The CA that callers are told of.
enum Bundle {
    /// PEM.
    Known(String),
    /// Somebody else tells them.
    Injected,
}

impl Leader {
    pub(super) fn new(writes: &Writes) -> Leader {
        let name = writes.options.wish.registration.name.as_str();
        let slot = |kind| Slot::new(writes.client.clone(), kind, name);
        Leader {
            slots: Kind::ALL.map(slot),
            maps: Api::namespaced(writes.client.clone(), &writes.home.namespace),
            keeper: keeper(writes),
            client: writes.client.clone(),
            home: writes.home.clone(),
            options: writes.options.clone(),
            set: Arc::clone(&writes.set),
            metrics: Arc::clone(&writes.metrics),
            open_since: BTreeMap::new(),
            applied: BTreeMap::new(),
            looked: None,
            is_withheld: false,
            problem: None,
        }
    }

    /// What keeps certificates of our own, if we make them.
    pub(super) fn keeper(&self) -> Option<Arc<Keeper>> {
        self.keeper.clone()
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Puts everything right, as far as it can be; gives how long it will
    /// stay so.
    pub(super) async fn pass(&mut self) -> Duration {
        let passed = self.try_pass().await;
        let (pause, problem) = match passed {
            Ok(pause) => (pause, None),
            // Somebody else wrote meanwhile: what they wrote counts.
            Err(error) if is_conflict(&error) => return AGAIN,
            Err(error) => (self.options.resync, Some(format!("{error:#}"))),
        };
        // Once, not with every pass.
        if let Some(problem) = problem.as_ref().filter(|_| problem != self.problem) {
            tracing::error!(problem, "what is registered is not as it should be");
        }
        self.problem = problem;
        pause
    }

    async fn try_pass(&mut self) -> Result<Duration> {
        let now = Timestamp::now();
        let mut stored = state::api::read(&self.maps).await?;
        let kept = self.certificates(&mut stored.state, now).await;
        let (bundle, kept) = match kept {
            Ok((bundle, kept)) => (Ok(bundle), kept),
            Err(error) => (Err(error), None),
        };
        let registered = match bundle {
            Ok(bundle) => self.registrations(&mut stored.state, bundle, now).await,
            Err(error) => Err(error),
        };
        let pause = self.pause(kept.as_ref(), now);
        let is_published = registered.is_ok();
        self.say_registered(&mut stored.state, registered.as_ref().err(), now);
        stored.write(&self.maps).await?;
        if let (Some(keeper), Some(kept)) = (&self.keeper, kept)
            && kept.to_publish
            && is_published
        {
            keeper.published(kept, now.as_second()).await?;
        }
        registered.map(|()| pause)
    }

    /// Until the next thing is due.
    fn pause(&self, kept: Option<&Kept>, now: Timestamp) -> Duration {
        let due = kept.map(|kept| kept.until.saturating_sub(now.as_second()).max(0));
        let due = due.and_then(|due| u64::try_from(due).ok());
        let due = due.map_or(self.options.resync, Duration::from_secs);
        // Never without a breath: what is due may be waiting for somebody.
        due.clamp(
            self.options.resync.min(Duration::from_secs(1)),
            self.options.resync,
        )
    }

    async fn certificates(
        &self,
        state: &mut State,
        now: Timestamp,
    ) -> Result<(Bundle, Option<Kept>)> {
        let (keeper, at) = match (&self.options.certificates, &self.keeper) {
            (Certificates::File(file), _) => {
                let pem = std::fs::read_to_string(file);
                let pem = pem.with_context(|| format!("--ca-file {}", file.display()))?;
                return Ok((Bundle::Known(pem), None));
            }
            (Certificates::Own(_), Some(keeper)) => (keeper, now.to_string()),
            (Certificates::Own(_) | Certificates::Injected, _) => {
                return Ok((Bundle::Injected, None));
            }
        };
        match keeper.keep(now.as_second(), &self.options.self_call).await {
            Ok(kept) => {
                state.say("CertificatesKept", true, "AsAsked", "", &at);
                Ok((Bundle::Known(kept.contents.bundle()), Some(kept)))
            }
            Err(error) => {
                let problem = format!("{error:#}");
                tracing::error!(problem, "the certificates are not as they should be");
                state.say("CertificatesKept", false, "Problem", &problem, &at);
                // What was last served goes on being registered.
                let known = keeper.known.load_full().ok_or(error)?;
                Ok((Bundle::Known(known.bundle()), None))
            }
        }
    }

    async fn registrations(
        &mut self,
        state: &mut State,
        bundle: Bundle,
        now: Timestamp,
    ) -> Result<()> {
        let set = self.set.load_full();
        let mut wish = self.options.wish.clone();
        if let Bundle::Known(pem) = &bundle {
            wish.registration.ca_bundle = Some(CaBundle::parse(pem.as_bytes())?);
        }
        let asked = wish.configurations(&set);
        state.excluded_namespaces = wish.registration.excluded(&set);
        [state.namespace_selector, state.object_selector] = self.options.selectors.clone();
        let judged = self.judged(&asked).await;
        self.say_withheld(state, judged.as_ref().ok(), now);
        let mut problems = Vec::new();
        for (slot, asked) in self.slots.clone().iter().zip(&asked) {
            let done = self.one(slot, asked, &bundle, judged.as_ref().ok(), state, now);
            problems.extend(done.await.err().map(|error| format!("{error:#}")));
        }
        problems.extend(judged.err().map(|error| format!("{error:#}")));
        problems.extend(registration::unknown(&set).map(|unknown| unknown.to_string()));
        problems.dedup();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(anyhow!(problems.join("; "))),
        }
    }

    /// What must not be judged with Fail but would be.
    async fn judged(&mut self, asked: &[Value; 2]) -> Result<BTreeSet<Need>> {
        let all = asked.iter().flat_map(registrations::entries);
        if !all
            .into_iter()
            .any(|entry| entry["failurePolicy"] == "Fail")
        {
            return Ok(BTreeSet::new());
        }
        let is_fresh = self
            .looked
            .as_ref()
            .is_some_and(|looked| looked.0.elapsed() < LOOK);
        if !is_fresh || self.is_withheld {
            let uses_cert_manager = self.options.wish.ca_from.is_some();
            let world = safety::api::look(&self.client, &self.home, uses_cert_manager).await?;
            self.looked = Some((Instant::now(), world));
        }
        let Some((_, world)) = &self.looked else {
            return Ok(BTreeSet::new());
        };
        let needs = safety::needs(world);
        let judged = asked
            .iter()
            .map(|asked| safety::judged(asked, &needs, world));
        Ok(judged.flatten().collect())
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
        match fate(slot.kind, state, live.is_some()) {
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
        let wanted = match live {
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
        let holds = live.is_some_and(|live| registrations::holds(&wanted, live));
        if !holds {
            if live.is_some() && self.applied.get(&slot.kind) == Some(&wanted) {
                self.metrics.mend();
                tracing::warn!(kind = ?slot.kind, name = slot.name, "an edited webhook configuration is mended");
            }
            slot.write(&wanted).await?;
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
            return Ok(Closing::Hold);
        }
        let since = *self.open_since.entry(kind).or_insert_with(Instant::now);
        let was_closed = self.applied.get(&kind) == Some(asked);
        if !was_closed && since.elapsed() < self.options.settle {
            return Ok(Closing::Hold);
        }
        let pem = match bundle {
            Bundle::Known(pem) => Some(pem.clone()),
            Bundle::Injected => bundle_of(live).and_then(decode),
        };
        let called = self.options.self_call.call(pem.as_deref()).await;
        match called {
            Ok(()) => Ok(Closing::Allowed),
            // An edit is mended whether or not the Service answers just now.
            Err(_) if was_closed => Ok(Closing::Allowed),
            Err(error) => {
                tracing::warn!("failurePolicy stays Ignore for now: {error:#}");
                Ok(Closing::Hold)
            }
        }
    }

    fn say_withheld(&self, state: &mut State, judged: Option<&BTreeSet<Need>>, now: Timestamp) {
        let Some(judged) = judged else {
            return;
        };
        let names = judged.iter().map(|need| need.namespace.clone()).collect();
        let at = now.to_string();
        if judged.is_empty() {
            state.say("FailWithheld", false, "AsAsked", "", &at);
        } else {
            let line = safety::line(judged);
            if state.withheld_by != names {
                tracing::warn!("{line}");
            }
            state.say("FailWithheld", true, "NeededToStart", &line, &at);
        }
        state.withheld_by = names;
    }

    fn say_registered(&self, state: &mut State, problem: Option<&anyhow::Error>, now: Timestamp) {
        let at = now.to_string();
        match problem {
            Some(error) => {
                state.say("Registered", false, "Problem", &format!("{error:#}"), &at);
            }
            None if state.is_paused() => {
                let line = away_line(state);
                state.say("Registered", false, "Away", &line, &at);
            }
            None if self.open_since.is_empty() => state.say("Registered", true, "AsAsked", "", &at),
            None => state.say(
                "Registered",
                true,
                "FailsOpen",
                "failurePolicy is Ignore at first",
                &at,
            ),
        }
    }
}

fn is_conflict(error: &anyhow::Error) -> bool {
    let api = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<kube::Error>());
    matches!(api, Some(kube::Error::Api(status)) if status.code == 409)
}

fn keeper(writes: &Writes) -> Option<Arc<Keeper>> {
    let home = &writes.home;
    let own = matches!(writes.options.certificates, Certificates::Own(_));
    own.then(|| {
        Arc::new(Keeper {
            secrets: Api::namespaced(writes.client.clone(), &home.namespace),
            place: format!("{}/{}", home.namespace, certificates::NAME),
            names: vec![writes.options.self_call.name.clone()],
            lifetimes: writes.options.lifetimes,
            known: Arc::default(),
        })
    })
}

fn decode(bundle: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(bundle).ok()?).ok()
}

/// `fail.validate.portcullis.dev=Ignore ...`, for the log.
fn summary(configuration: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = registrations::entries(configuration).iter();
    let lines =
        entries.map(|entry| format!("{}={}", text(&entry["name"]), text(&entry["failurePolicy"])));
    lines.collect::<Vec<_>>().join(" ")
}
