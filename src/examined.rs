//! `portcullis doctor` and `portcullis smoke`: from what was typed to what is
//! said.

use anyhow::Result;
use portcullis::args::doctor::{Doctor, Output};
use portcullis::cluster;
use portcullis::cluster::doctor::{self, Place, look, render};

/// Looks, prints, and gives the exit code.
pub(crate) fn doctor(arguments: &Doctor) -> Result<u8> {
    let typed = &arguments.installation;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let lines = runtime.block_on(async {
        let config = typed.kubeconfig.as_deref();
        let client = cluster::connect_to(config, typed.context.as_deref()).await?;
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
