//! One pass of the leader.

mod anchored;
mod closing;
mod conditions;
mod slots;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use arc_swap::ArcSwap;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::Api;
use serde_json::Value;
use tokio::sync::watch;

use super::{Certificates, Options, Writes};
use crate::cluster::anchor::Standing;
use crate::cluster::anchor::api::Anchor;
use crate::cluster::certificates::api::{self as certificates, Keeper, Kept};
use crate::cluster::home::Home;
use crate::cluster::notices::{self, api::Teller};
use crate::cluster::registrations::api::Slot;
use crate::cluster::safety::World;
use crate::cluster::state::{self, Kind, State};
use crate::policy::PolicySet;
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
    anchor: Arc<Anchor>,
    options: Options,
    set: Arc<ArcSwap<PolicySet>>,
    metrics: Arc<Metrics>,
    told: watch::Sender<Option<Registered>>,
    slots: [Slot; 2],
    maps: Api<ConfigMap>,
    keeper: Option<Arc<Keeper>>,
    teller: Teller,
    /// Since when entries are there that wait to fail closed.
    open_since: BTreeMap<Kind, Instant>,
    /// What was written last, so that an edit is known from a change of ours.
    applied: BTreeMap<Kind, Value>,
    looked: Option<(Instant, World)>,
    /// Whether what was seen at the last look keeps entries from failing closed.
    is_withheld: bool,
    /// The owner that what was there before belongs to, and since when.
    adopted: Option<(String, Instant)>,
    problem: Option<String>,
    /// Why they wait, if not for the time.
    open_because: Option<String>,
}

/// What people are told of the registration, as a condition has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Whether requests come to us.
    pub status: bool,
    /// Why, in one word.
    pub reason: &'static str,
    /// Why, and what to do, in one line; empty where all is as it should be.
    pub message: String,
}

/// What came of writing the registrations.
struct Written {
    /// Each that is not away has what is wanted, the CAs of the bundle too.
    is_written: bool,
    /// One line.
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
    pub(super) fn new(writes: &Writes, options: &Options) -> Leader {
        let name = options.wish.registration.name.as_str();
        let slot = |kind| Slot::new(writes.client.clone(), kind, name);
        Leader {
            slots: Kind::ALL.map(slot),
            maps: Api::namespaced(writes.client.clone(), &writes.home.namespace),
            keeper: keeper(writes, options),
            teller: Teller::new(writes.client.clone(), &writes.home),
            client: writes.client.clone(),
            home: writes.home.clone(),
            anchor: Arc::clone(&writes.anchor),
            options: options.clone(),
            set: Arc::clone(&writes.set),
            metrics: Arc::clone(&writes.metrics),
            told: writes.registered.clone(),
            open_since: BTreeMap::new(),
            applied: BTreeMap::new(),
            looked: None,
            is_withheld: false,
            adopted: None,
            problem: None,
            open_because: None,
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
        if self.set.load().is_unset() {
            // What is registered follows policies, and none are known yet.
            return Ok(AGAIN);
        }
        match self.anchor.look().await? {
            Standing::Going(going) => self.leave(&going).await,
            standing => self.put_right(&standing).await,
        }
    }

    async fn put_right(&mut self, standing: &Standing) -> Result<Duration> {
        let (now, owner) = (Timestamp::now(), standing.owner());
        let mut stored = state::api::read(&self.maps).await?;
        if let Some(owner) = owner {
            stored.begin_anew(owner);
        }
        self.say_anchored(&mut stored.state, standing, now);
        let (registered, kept) = self.register(&mut stored.state, owner, now).await;
        let pause = self.pause(kept.as_ref(), now);
        self.say_registered(&mut stored.state, registered.problem.as_deref(), now);
        let news = notices::news(&stored.before().conditions, &stored.state.conditions);
        let object = stored.write(&self.maps, owner).await?;
        if let Some(owner) = owner {
            self.adopt(owner, kept.is_some()).await;
        }
        for notice in news {
            self.teller.warn(&object, "Register", notice).await;
        }
        if let (Some(keeper), Some(kept), true) = (&self.keeper, kept, registered.is_written)
            && kept.to_publish
        {
            // Since it was written, and not since this pass began; the part of
            // a second that is cut off must not shorten the time, either.
            let since = Timestamp::now().as_second() + 1;
            keeper.published(kept, since).await?;
        }
        match registered.problem {
            Some(problem) => bail!(problem),
            None => Ok(pause),
        }
    }

    /// Keeps certificates, and registers with them.
    async fn register(
        &mut self,
        state: &mut State,
        owner: Option<&OwnerReference>,
        now: Timestamp,
    ) -> (Written, Option<Kept>) {
        let (bundle, kept) = match self.certificates(state, now).await {
            Ok((bundle, kept)) => (Ok(bundle), kept),
            Err(error) => (Err(error), None),
        };
        let registered = match bundle {
            Ok(bundle) => self.registrations(state, bundle, owner, now).await,
            Err(error) => Err(error),
        };
        let registered = registered.unwrap_or_else(|error| Written {
            is_written: false,
            problem: Some(format!("{error:#}")),
        });
        (registered, kept)
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
                if !state.says("CertificatesKept", &problem) {
                    tracing::error!(problem, "the certificates are not as they should be");
                }
                state.say("CertificatesKept", false, "Problem", &problem, &at);
                // What was last served goes on being registered.
                let known = keeper.known.load_full().ok_or(error)?;
                Ok((Bundle::Known(known.bundle()), None))
            }
        }
    }
}

fn is_conflict(error: &anyhow::Error) -> bool {
    let api = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<kube::Error>());
    matches!(api, Some(kube::Error::Api(status)) if status.code == 409)
}

fn keeper(writes: &Writes, options: &Options) -> Option<Arc<Keeper>> {
    let home = &writes.home;
    let own = matches!(options.certificates, Certificates::Own(_));
    own.then(|| {
        Arc::new(Keeper {
            secrets: Api::namespaced(writes.client.clone(), &home.namespace),
            place: format!("{}/{}", home.namespace, certificates::NAME),
            names: vec![options.self_call.name.clone()],
            anchor: Arc::clone(&writes.anchor),
            lifetimes: options.lifetimes,
            known: Arc::default(),
        })
    })
}
