//! `portcullis doctor`, `smoke` and `network`: from what was typed to what is
//! said.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use portcullis::args::doctor::{Doctor, Output, Smoke};
use portcullis::args::network::Network;
use portcullis::cluster;
use portcullis::cluster::audit::policies;
use portcullis::cluster::doctor::{self, Place, look, render};
use portcullis::cluster::smoke::{self, api::Wish};
use portcullis::network;
use portcullis::pack::Profile;
use portcullis::policy::PolicySet;
use portcullis::policy::set::SYSTEM_NAMESPACES;
use portcullis::wasm::Engine;
use portcullis::{load, source};

use crate::{chosen, live};

/// Looks, prints, and gives the exit code.
pub(crate) fn doctor(arguments: &Doctor) -> Result<u8> {
    let typed = &arguments.installation;
    let lines = crate::wait_for(async {
        let client = crate::connect(&typed.reach).await?;
        let service = match &arguments.service {
            Some(service) => service.clone(),
            None => look::service_of(&client, &typed.registration)
                .await
                .unwrap_or_else(|| "portcullis".to_owned()),
        };
        let place = Place {
            namespace: typed.namespace.clone(),
            registration: typed.registration.clone(),
            service,
            served_at: arguments.served_at.clone(),
        };
        let seen = look::look(&client, &place).await?;
        anyhow::Ok(doctor::diagnose(&seen))
    })?;
    crate::print(&match arguments.output {
        Output::Human => render::human(&lines, &format!("namespace {}", typed.namespace)),
        Output::Json => render::json(&lines, &typed.namespace),
    })?;
    Ok(doctor::exit_code(&lines))
}

/// Tries, prints, and gives the exit code.
pub(crate) fn smoke(arguments: &Smoke) -> Result<u8> {
    let typed = &arguments.installation;
    let engine = Engine::new()?
        .with_children()
        .with_code(chosen::PACK.compiled, None)
        .with_patience();
    let engine = Arc::new(engine);
    let lines = crate::wait_for(async {
        let client = crate::connect(&typed.reach).await?;
        let (pack, home) = (chosen::PACK, &typed.namespace);
        let excluded = SYSTEM_NAMESPACES.map(String::from).into();
        let base = live::base(&client, home, &pack).await?;
        let set = policies::of_cluster(&client, &engine, pack, base, home, excluded).await?;
        let set = set.context("the cluster has no kind WasmPolicy: nothing of ours is in force")?;
        live::exempt(&client, &set, std::slice::from_ref(&arguments.target)).await?;
        let wish = Wish {
            home: home.clone(),
            registration: typed.registration.clone(),
            target: arguments.target.clone(),
        };
        smoke::api::smoke(&client, &set, &wish).await
    })?;
    crate::print(&match arguments.output {
        Output::Human => smoke::human(&lines),
        Output::Json => smoke::json(&lines),
    })?;
    Ok(smoke::exit_code(&lines))
}

/// Looks, and prints who may talk to whom.
pub(crate) fn network(arguments: &Network) -> Result<u8> {
    if arguments.plan {
        return plan(arguments);
    }
    let (namespace, policies) = crate::wait_for(async {
        let client = crate::connect(&arguments.reach).await?;
        cluster::networks::look(&client, &arguments.namespace).await
    })?;
    crate::print(&network::render(&namespace, &policies))
}

/// Looks, prints what enrolment would close, and gives the exit code.
fn plan(arguments: &Network) -> Result<u8> {
    let plan = crate::wait_for(async {
        let client = crate::connect(&arguments.reach).await?;
        let set = planned_with(&client, &arguments.installation).await?;
        let (name, profile) = (&arguments.namespace, arguments.profile.as_deref());
        let seen = cluster::networks::plan::look(&client, set, name, profile).await?;
        anyhow::Ok(seen.plan())
    })?;
    crate::print(&plan.render())?;
    Ok(u8::from(!plan.closes_nothing()))
}

/// The policies of the cluster, and `default-network-policy` as it comes where
/// it is none of them.
async fn planned_with(client: &kube::Client, home: &str) -> Result<Arc<PolicySet>> {
    let pack = chosen::PACK.having_effects();
    let mut base = source::policies(&pack, Profile::Starter, &[])?;
    base.retain(|one| one.resource.name.as_str() == "default-network-policy");
    let engine = Engine::new()?
        .with_children()
        .with_code(pack.compiled, None);
    let engine = Arc::new(engine.with_patience());
    let excluded: BTreeSet<String> = SYSTEM_NAMESPACES.map(String::from).into();
    let of = (base.clone(), excluded.clone());
    match policies::of_cluster(client, &engine, pack, of.0, home, of.1).await {
        Ok(Some(set)) => return Ok(set),
        Ok(None) => {}
        Err(error) => anstream::eprintln!(
            "warning: planned with default-network-policy as it comes, and not with the settings \
             of the cluster: {error:#}"
        ),
    }
    Ok(Arc::new(load::load(&engine, &pack, &base, excluded)?))
}
