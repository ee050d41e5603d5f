//! Starts what a replica does in a cluster, and what it adds to the webhook.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use kube::Client;
use portcullis_contract::Permission;
use serde_json::Value;
use tokio::sync::watch;

use super::anchor::api::Anchor;
use super::controller::{Controller, Parts};
use super::effects::access;
use super::effects::ensure::Ensuring;
use super::exemptions;
use super::gather;
use super::home::Home;
use super::link::Link;
use super::namespaces::Namespaces;
use super::networks::callers::Callers;
use super::others::Watched;
use super::relocation::admission::Moving;
use super::relocation::keys::Keys;
use super::vetting::{Vetting, changed_spec};
use super::writes::Registered;
use crate::load::taker::{Prepare, Taker};
use crate::pack::Pack;
use crate::policy::effect::hanging::Closing;
use crate::policy::{Others, PolicySet, Wanted};
use crate::review::Request;
use crate::server::{Half, Health};
use crate::source::Found;
use crate::telemetry::Metrics;
use crate::wasm::Engine;
use crate::webhook::Surroundings;
use crate::webhook::surroundings::{Entry, Relocated, Vetted};

/// How policies of a cluster are run.
pub struct Policies {
    /// Where built-in programs come from.
    pub pack: Pack,
    /// In force beside those of the cluster, which take the place of one of
    /// the same name: a profile of the pack.
    pub base: Vec<Found>,
    /// What loads and runs programs.
    pub engine: Arc<Engine>,
    /// Keeps each policy from holding up the others.
    pub prepare: Prepare,
    /// Namespaces that no policy judges, besides the own one.
    pub excluded_namespaces: BTreeSet<String>,
    /// Who may write placeholders, where secrets leave ConfigMaps.
    pub restorers: Option<BTreeSet<String>>,
    /// Where it counts.
    pub metrics: Arc<Metrics>,
}

/// What runs, for as long as the process does.
pub struct Running {
    /// The policies in force.
    pub set: Arc<ArcSwap<PolicySet>>,
    /// Counts how often another set was put in force.
    pub changed: watch::Receiver<u64>,
    /// What the webhook is to be given.
    pub surroundings: Arc<dyn Surroundings>,
}

/// What others tell the controller.
pub struct Heard {
    /// Whether this replica writes to the cluster.
    pub is_leader: watch::Receiver<bool>,
    /// What came of registering; None while nobody knows.
    pub registered: watch::Receiver<Option<Registered>>,
}

/// Starts watching policies and namespaces. Call it on a runtime.
pub fn start(
    client: &Client,
    home: &Home,
    anchor: &Arc<Anchor>,
    policies: Policies,
    heard: Heard,
) -> Running {
    let Policies {
        pack,
        base,
        engine,
        prepare,
        mut excluded_namespaces,
        restorers,
        metrics,
    } = policies;
    excluded_namespaces.insert(home.namespace.clone());
    let taker = Taker::new(&engine, prepare, excluded_namespaces);
    let set = Arc::clone(taker.set());
    let exemptions = exemptions::Watch::new(
        client.clone(),
        Arc::clone(taker.exemptions()),
        Arc::clone(&metrics),
    );
    let exemptions = Arc::new(exemptions);
    let namespaces = Arc::new(Namespaces::new(client.clone(), Arc::clone(&metrics)));
    let others = Arc::new(Watched::new(client.clone(), Arc::clone(&set)));
    let (change, changed) = watch::channel(0);
    let moving = restorers.map(|restorers| {
        let metrics = Arc::clone(&metrics);
        tokio::spawn(Keys::make(client.clone(), home.namespace.clone()));
        let moving = Moving::new(client.clone(), &home.namespace, restorers, metrics);
        tokio::spawn(moving.watch());
        moving
    });
    let parts = Parts {
        client: client.clone(),
        home: home.clone(),
        anchor: Arc::clone(anchor),
        base: gather::base(&pack, base),
        pack,
        taker,
        others: Arc::clone(&others),
        heard,
        metrics,
    };
    let (controller, link) = Controller::new(parts, change);
    tokio::spawn(Arc::clone(&others).run(changed.clone()));
    tokio::spawn(Arc::clone(&namespaces).run());
    tokio::spawn(Arc::clone(&exemptions).run());
    tokio::spawn(controller.run());
    let surroundings = Arc::new(Around {
        set: Arc::clone(&set),
        link,
        namespaces,
        exemptions,
        looked_up: Arc::clone(&others) as Arc<dyn Others>,
        others,
        ensuring: Ensuring::new(client.clone()),
        moving,
        callers: Callers::new(client.clone()),
        client: client.clone(),
        vetting: Vetting::new(client.clone(), pack, engine),
    });
    Running {
        set,
        changed,
        surroundings,
    }
}

/// A webhook's cluster.
struct Around {
    set: Arc<ArcSwap<PolicySet>>,
    link: Arc<Link>,
    namespaces: Arc<Namespaces>,
    exemptions: Arc<exemptions::Watch>,
    others: Arc<Watched>,
    /// The same, as policies see it.
    looked_up: Arc<dyn Others>,
    ensuring: Ensuring,
    /// None where nothing is moved.
    moving: Option<Moving>,
    callers: Callers,
    client: Client,
    vetting: Vetting,
}

impl Surroundings for Around {
    fn is_ready(&self) -> bool {
        let has_policies = !self.set.load().is_unset();
        let knows_all = self.namespaces.link.was_up() && self.exemptions.is_ready();
        has_policies && knows_all && self.others.is_ready()
    }

    fn namespace<'a>(&'a self, name: &'a str, until: Instant) -> BoxFuture<'a, Option<Arc<Value>>> {
        Box::pin(self.namespaces.get(name, until))
    }

    fn namespace_now<'a>(
        &'a self,
        name: &'a str,
        until: Instant,
    ) -> BoxFuture<'a, Option<Arc<Value>>> {
        Box::pin(self.namespaces.ask(name, until))
    }

    fn others(&self) -> Option<&Arc<dyn Others>> {
        Some(&self.looked_up)
    }

    fn ensure<'a>(
        &'a self,
        wanted: &'a Wanted,
        until: Instant,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.ensuring.ensure(wanted, until))
    }

    fn may<'a>(
        &'a self,
        request: &'a Request,
        permission: &'a Permission,
        until: Instant,
    ) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(access::may(&self.client, request, permission, None, until))
    }

    fn relocate<'a>(
        &'a self,
        request: &'a Request,
        half: Half,
        found: &'a [Entry],
        until: Instant,
    ) -> BoxFuture<'a, Result<Relocated, String>> {
        Box::pin(async move {
            match &self.moving {
                Some(moving) => moving.relocate(request, half, found, until).await,
                None => Err("it is switched off: `serve --relocation`".to_owned()),
            }
        })
    }

    fn closed_by<'a>(
        &'a self,
        closing: &'a Closing,
        until: Instant,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(self.callers.closed_by(closing, until))
    }

    fn vet(&self, request: Request, until: Instant) -> BoxFuture<'_, Vetted> {
        Box::pin(async move {
            match changed_spec(&request, exemptions::PLURAL) {
                Some(spec) => exemptions::vetting::vet(&self.set, &request, spec, until).await,
                None => self.vetting.vet(&request, until).await,
            }
        })
    }

    fn health(&self) -> Vec<Health> {
        let line = |link: &Link, ready: bool| Health {
            name: link.name(),
            state: link.describe(),
            ready,
        };
        let has_policies = !self.set.load().is_unset();
        let namespaces = &self.namespaces.link;
        let mut lines = vec![
            line(&self.link, has_policies),
            line(namespaces, namespaces.was_up()),
            line(&self.exemptions.link, self.exemptions.is_ready()),
        ];
        lines.extend(self.others.health());
        lines
    }
}
