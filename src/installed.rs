//! `serve --cluster`: from what was typed to what is written to the cluster.

use std::sync::Arc;

use anyhow::{Result, bail};
use arc_swap::ArcSwap;
use kube::Client;
use portcullis::args;
use portcullis::args::cluster::EnrolNew;
use portcullis::cluster::anchor::api::Anchor;
use portcullis::cluster::certificates::{self, Lifetimes};
use portcullis::cluster::lease::Timing;
use portcullis::cluster::registrations::Wish;
use portcullis::cluster::rounds::preview::Preview;
use portcullis::cluster::rounds::{Rounds, within};
use portcullis::cluster::run::{Heard, Policies, Running};
use portcullis::cluster::self_call::SelfCall;
use portcullis::cluster::writes::{Certificates, Options, Registered, Writes};
use portcullis::cluster::{self, Home};
use portcullis::load;
use portcullis::pack::Profile;
use portcullis::policy::{Others, PolicySet};
use portcullis::registration::{Registration, name, selector, target::Target};
use portcullis::server::Source;
use portcullis::server::tls::Certificate;
use portcullis::source::Found;
use portcullis::telemetry::Metrics;
use portcullis::wasm::Engine;
use tokio::sync::watch;

use crate::chosen::{PACK, excluded, served};
use crate::relocating;

/// Where the certificate comes from: files, or the Secret that one of us makes.
pub(crate) fn certificate_source(arguments: &args::Serve) -> Source {
    if let (Some(cert), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        let (cert, key) = (cert.clone(), key.clone());
        return Source::Files { cert, key };
    }
    let namespace = Home::namespace(arguments.cluster.place.namespace.as_deref());
    let place = format!("Secret {namespace}/{}", certificates::api::NAME);
    Source::Given(Arc::new(Certificate::awaited(&place)))
}

/// An installation, connected to its cluster.
pub(crate) struct Installed {
    client: Client,
    home: Home,
    anchor: Arc<Anchor>,
    /// None where somebody else registers.
    options: Option<Options>,
    /// None where nothing is audited.
    rounds: Option<Rounds>,
    timing: Timing,
    metrics: Arc<Metrics>,
}

impl Installed {
    /// Checks what was typed, and connects.
    pub(crate) async fn connect(
        arguments: &args::Serve,
        source: &Source,
        engine: &Arc<Engine>,
        metrics: &Arc<Metrics>,
    ) -> Result<Installed> {
        let typed = &arguments.cluster;
        let home = home(typed)?;
        relocating::check(arguments)?;
        let options = match typed.without_registration {
            true => None,
            false => Some(options(arguments, source, &home)?),
        };
        let client = cluster::connect(typed.place.kubeconfig.as_deref()).await?;
        let (registration, registers) = (&typed.place.registration, options.is_some());
        let anchor = Anchor::new(client.clone(), &home.namespace, registration, registers);
        Ok(Installed {
            rounds: rounds(arguments, engine, &home)?,
            client,
            home,
            anchor: Arc::new(anchor),
            options,
            timing: Timing::default(),
            metrics: Arc::clone(metrics),
        })
    }

    /// What writes to the cluster for policies of files.
    pub(crate) fn writes_for(self, set: Arc<ArcSwap<PolicySet>>) -> Writes {
        let (leading, _) = watch::channel(false);
        let (told, _) = watch::channel(None);
        self.writes(set, leading, told, None, None)
    }

    /// Watches the policies of the cluster, and gives what writes to it.
    pub(crate) fn run(self, policies: Policies) -> (Running, Writes) {
        let (leading, is_leader) = watch::channel(false);
        let (tell, told) = watch::channel(None);
        let heard = Heard {
            is_leader,
            registered: told,
        };
        let running = cluster::run::start(&self.client, &self.home, &self.anchor, policies, heard);
        let (set, changed) = (Arc::clone(&running.set), running.changed.clone());
        let others = running.surroundings.others().cloned();
        let writes = self.writes(set, leading, tell, Some(changed), others);
        (running, writes)
    }

    fn writes(
        self,
        set: Arc<ArcSwap<PolicySet>>,
        leading: watch::Sender<bool>,
        registered: watch::Sender<Option<Registered>>,
        changed: Option<watch::Receiver<u64>>,
        others: Option<Arc<dyn Others>>,
    ) -> Writes {
        Writes {
            client: self.client,
            home: self.home,
            anchor: self.anchor,
            options: self.options,
            rounds: self.rounds,
            timing: self.timing,
            set,
            changed,
            others,
            leading,
            registered,
            metrics: self.metrics,
        }
    }
}

/// How what is there is audited, if it is.
fn rounds(arguments: &args::Serve, engine: &Arc<Engine>, home: &Home) -> Result<Option<Rounds>> {
    let typed = &arguments.cluster;
    let selectors = typed.namespace_selectors.iter();
    let namespaces = selectors.map(|text| selector::parse(text));
    let namespaces = namespaces.collect::<Result<Vec<_>, _>>()?;
    let objects = selector::opting_in(&typed.object_selectors)?;
    let rounds = Rounds {
        every: typed.audit_interval,
        within: Some(within::constraints(&home.namespace, &namespaces, &objects)),
        registers: !typed.without_registration,
        of_cluster: !arguments.policies.are_of_files(),
        preview: preview(arguments, engine, home)?,
    };
    Ok((!rounds.every.is_zero()).then_some(rounds))
}

/// The profile that is only told of.
fn preview(arguments: &args::Serve, engine: &Arc<Engine>, home: &Home) -> Result<Option<Preview>> {
    let profile = match arguments.cluster.audit_profile {
        None | Some(Profile::None) => return Ok(None),
        // It is in force, and told of as such.
        profile if profile == arguments.policies.profile => return Ok(None),
        Some(profile) => profile,
    };
    let found = policies(&arguments.cluster, profile)?;
    let mut excluded = excluded(&arguments.policies);
    excluded.insert(home.namespace.clone());
    let engine = Arc::clone(engine);
    let load = move || Ok(load::load(&engine, &PACK, &found, excluded.clone())?);
    Ok(Some(Preview {
        profile: profile.name(),
        load: Arc::new(load),
    }))
}

/// The policies of a profile, as far as the account has the rights that they
/// need, and with what new namespaces are enrolled under.
pub(crate) fn policies(typed: &args::cluster::Cluster, profile: Profile) -> Result<Vec<Found>> {
    let mut found = served(profile, &typed.may_create)?;
    let networks = found
        .iter_mut()
        .filter(|one| one.resource.name.as_str() == NETWORKS);
    for policy in networks {
        let settings = &mut policy.resource.spec.settings;
        match typed.enrol_new.map(EnrolNew::setting) {
            None => {}
            Some(None) => drop(settings.remove("enrolNew")),
            Some(Some(profile)) => drop(settings.insert("enrolNew".into(), profile.into())),
        }
    }
    Ok(found)
}

/// The policy that enrols new namespaces.
const NETWORKS: &str = "default-network-policy";

fn home(typed: &args::cluster::Cluster) -> Result<Home> {
    let namespace = Home::namespace(typed.place.namespace.as_deref());
    let place = format!("{namespace}/{}", typed.service);
    // Checked as `webhook-config --service` is.
    let Target::Service {
        namespace,
        name,
        port,
    } = Target::new(None, Some(&place))?
    else {
        bail!(
            "--service `{}` is no Service: write NAME or NAME:PORT",
            typed.service
        );
    };
    Ok(Home {
        namespace,
        service: name,
        port,
        identity: Home::identity(typed.identity.as_deref())?,
    })
}

fn options(arguments: &args::Serve, source: &Source, home: &Home) -> Result<Options> {
    let typed = &arguments.cluster;
    let parse = |texts: &[String]| {
        let parsed = texts.iter().map(|text| selector::parse(text));
        parsed.collect::<Result<Vec<_>, _>>()
    };
    let service = format!("{}/{}:{}", home.namespace, home.service, home.port);
    Ok(Options {
        wish: Wish {
            registration: Registration {
                name: name::Name::parse(&typed.place.registration)?,
                target: Target::new(None, Some(&service))?,
                ca_bundle: None,
                namespaces: parse(&typed.namespace_selectors)?,
                objects: selector::opting_in(&typed.object_selectors)?,
            },
            ca_from: typed.ca_from.clone(),
            vets: !arguments.policies.are_of_files(),
            relocates: typed.relocation,
        },
        selectors: [
            typed.namespace_selectors.clone(),
            typed.object_selectors.clone(),
        ],
        profile: base(&arguments.policies).map(Profile::name),
        certificates: certificates(typed, source)?,
        lifetimes: lifetimes(typed)?,
        self_call: SelfCall::new(home, typed.self_call_address.as_deref()),
        settle: typed.settle,
        resync: typed.resync,
    })
}

/// The profile in force beside the policies of the cluster. None where there is
/// none, or files take the place of those.
pub(crate) fn base(policies: &args::Policies) -> Option<Profile> {
    let profile = policies.profile.filter(|_| !policies.are_of_files());
    profile.filter(|profile| *profile != Profile::None)
}

fn certificates(typed: &args::cluster::Cluster, source: &Source) -> Result<Certificates> {
    Ok(match (source, &typed.ca_from, &typed.ca_file) {
        (Source::Given(served), ..) => Certificates::Own(Arc::clone(served)),
        (Source::Files { .. }, Some(from), _) => {
            let is_place = from.split_once('/').is_some_and(|(namespace, name)| {
                !namespace.is_empty() && !name.is_empty() && !name.contains('/')
            });
            if !is_place {
                bail!("--ca-from `{from}` is no Certificate: write `NAMESPACE/NAME`");
            }
            Certificates::Injected
        }
        (Source::Files { .. }, None, Some(file)) => Certificates::File(file.clone()),
        (Source::Files { .. }, None, None) => bail!(
            "--tls-cert with --cluster needs the CA, too: give --ca-from NAMESPACE/CERTIFICATE of \
             cert-manager, or --ca-file FILE; or give no --tls-cert, and certificates are made"
        ),
    })
}

fn lifetimes(typed: &args::cluster::Cluster) -> Result<Lifetimes> {
    if typed.leaf_lifetime > typed.ca_lifetime / 3 {
        bail!("--leaf-lifetime is more than a third of --ca-lifetime: a leaf would outlive its CA");
    }
    // A leaf that is renewed with a third of its life left must outlive the
    // time for which a new CA is only published, and delays besides.
    if typed.ca_propagation > typed.leaf_lifetime / 6 {
        bail!("--ca-propagation is more than a sixth of --leaf-lifetime: give less");
    }
    Ok(Lifetimes {
        ca: typed.ca_lifetime,
        leaf: typed.leaf_lifetime,
        propagation: typed.ca_propagation,
    })
}
