//! Relocation: from what was typed to what runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Result, bail};
use portcullis::args::{self, relocation};
use portcullis::cluster::relocation::commands;
use portcullis::cluster::relocation::serving::{self, Serving};
use portcullis::cluster::{self, Home};
use portcullis::registration::selector;
use portcullis::server::plain::Plain;
use portcullis::telemetry;
use portcullis::telemetry::relocation::Relocations;
use portcullis_contract::LabelSelector;

/// Who may write placeholders; None where nothing is moved.
pub(crate) fn restorers(arguments: &args::Serve) -> Option<BTreeSet<String>> {
    let typed = &arguments.cluster;
    typed
        .relocation
        .then(|| typed.restorers.iter().cloned().collect())
}

/// Whoever reaches the port can say that he is anybody, and a Secret would be
/// created for him.
///
/// # Errors
///
/// Callers are not known to be the API server; policies are not the cluster's.
pub(crate) fn check(arguments: &args::Serve) -> Result<()> {
    let typed = &arguments.cluster;
    if !typed.relocation {
        return Ok(());
    }
    if arguments.policies.are_of_files() {
        bail!("--relocation needs the policies of the cluster: leave --policies away");
    }
    if arguments.client_ca.is_none() && !typed.port_is_guarded {
        bail!(
            "--relocation writes Secrets for whoever calls: give --client-ca FILE, so that only the \
             API server can, or --port-is-guarded if a network rule sees to that (docs/relocation.md)"
        );
    }
    Ok(())
}

/// `relocate`: serves what was moved, until a signal.
pub(crate) fn relocate(arguments: &relocation::Relocate) -> Result<u8> {
    let logging = &arguments.logging;
    telemetry::init(logging.log_format, &logging.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = cluster::connect(arguments.place.kubeconfig.as_deref()).await?;
        let namespace = Home::namespace(arguments.place.namespace.as_deref());
        let selectors = arguments.namespace_selectors.iter();
        let requirements = selectors.map(|text| selector::parse(text));
        let judged = LabelSelector {
            match_expressions: requirements.collect::<Result<_, _>>()?,
            ..LabelSelector::default()
        };
        let metrics = Arc::new(Relocations::default());
        if let Some(address) = arguments.metrics_listen {
            let plain = Plain::bind(address).await?;
            tracing::info!(plain = %plain.address()?, "health and metrics");
            tokio::spawn(plain.run(Arc::clone(&metrics)));
        }
        serving::run(Serving::new(client, &namespace, judged, metrics)).await;
        Ok(0)
    })
}

/// `secrets ...`: does it, says it, and gives the exit code.
pub(crate) fn secrets(command: &relocation::Secrets) -> Result<u8> {
    use relocation::Secrets;
    let (said, code) = crate::wait_for(async {
        let said = match command {
            Secrets::Enrol(typed) => enrol(typed).await?,
            Secrets::Plan(typed) => plan(typed).await?,
            Secrets::Prepare(typed) => {
                let (client, one) = (crate::connect(&typed.one.reach).await?, &typed.one);
                let keys = typed.keys.iter().cloned().collect();
                commands::prepare(&client, &one.namespace, &one.config_map, &keys).await?
            }
            Secrets::Redact(one) => {
                let client = crate::connect(&one.reach).await?;
                commands::redact(&client, &one.namespace, &one.config_map).await?
            }
            Secrets::Status(typed) => {
                let client = crate::connect(&typed.reach).await?;
                commands::status(&client, typed.namespace.as_deref()).await?
            }
            Secrets::Moved(typed) => {
                let client = crate::connect(&typed.reach).await?;
                let (said, any) = commands::moved(&client, typed.namespace.as_deref()).await?;
                return anyhow::Ok((said, u8::from(any)));
            }
            Secrets::RotateKeys(typed) => {
                let client = crate::connect(&typed.reach).await?;
                match typed.drop_former {
                    true => commands::drop_former(&client, &typed.installation).await?,
                    false => commands::rotate(&client, &typed.installation).await?,
                }
            }
            Secrets::Restore(typed) => {
                let client = crate::connect(&typed.reach).await?;
                let wanted = commands::Restoration {
                    namespace: typed.namespace.clone(),
                    config_map: typed.config_map.clone(),
                    trusting: typed.trusting,
                    installation: typed.installation.clone(),
                };
                let (said, all) = commands::restore(&client, &wanted).await?;
                return anyhow::Ok((said, if all { 0 } else { crate::BROKEN }));
            }
        };
        anyhow::Ok((said, 0))
    })?;
    crate::print(&said)?;
    Ok(code)
}

async fn enrol(typed: &relocation::Enrol) -> Result<String> {
    let enrolment = commands::Enrolment {
        namespace: typed.namespace.clone(),
        installation: typed.installation.clone(),
        account: typed.account.clone(),
    };
    if typed.dry_run {
        return Ok(enrolment.yaml());
    }
    commands::enrol(&crate::connect(&typed.reach).await?, &enrolment).await
}

async fn plan(typed: &relocation::Plan) -> Result<String> {
    let client = crate::connect(&typed.reach).await?;
    let (policies, home) = (&typed.policies, &typed.installation);
    let set = crate::live::policies_in_force(&client, policies, home).await?;
    let namespaces = [typed.namespace.clone()];
    crate::live::exempt(&client, &set, &namespaces).await?;
    commands::plan(&client, &set, &typed.namespace).await
}
