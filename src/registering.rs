//! Certificates and webhook configurations, by hand.

use anyhow::{Context, Result};
use portcullis::args;
use portcullis::cluster;
use portcullis::cluster::commands::{self, Installation};
use portcullis::cluster::state::How;
use portcullis::registration::target::{CaBundle, Target};
use portcullis::registration::{self, Registration};

use crate::chosen::served_set;
use crate::print;

pub(crate) fn certs(arguments: &args::Certs) -> Result<u8> {
    let made = portcullis::certs::make(&arguments.names, time::OffsetDateTime::now_utc())?;
    portcullis::certs::write(&arguments.folder, &made, arguments.force)?;
    let folder = arguments.folder.display();
    print(&format!(
        "{folder}/ca.crt and ca.key: the CA; ca.crt is the caBundle of a registration\n\
         {folder}/tls.crt and tls.key: the server, for {}\n",
        arguments.names.join(", ")
    ))
}

pub(crate) fn webhook_config(arguments: &args::WebhookConfig) -> Result<u8> {
    let file = &arguments.ca_file;
    let pem = std::fs::read(file)
        .with_context(|| format!("--ca-file {} cannot be read", file.display()))?;
    let selectors = arguments.namespace_selectors.iter();
    let registration = Registration {
        name: registration::name::Name::parse(&arguments.name)?,
        target: Target::new(arguments.url.as_deref(), arguments.service.as_deref())?,
        ca_bundle: Some(CaBundle::parse(&pem).with_context(|| file.display().to_string())?),
        namespaces: selectors
            .map(|text| registration::selector::parse(text))
            .collect::<Result<_, _>>()?,
        objects: vec![],
    };
    let set = served_set(&arguments.policies)?;
    let configurations = registration.configurations(&set)?;
    print(&registration::yaml::documents(&configurations))
}

/// Takes the registration away, or lets it come back.
pub(crate) fn registered(place: &args::cluster::Place, away: Option<How>) -> Result<u8> {
    let installation = Installation {
        namespace: cluster::Home::namespace(place.namespace.as_deref()),
        name: place.registration.clone(),
    };
    print(&crate::wait_for(async {
        let client = cluster::connect(place.kubeconfig.as_deref()).await?;
        match away {
            Some(how) => commands::take_away(client, &installation, how).await,
            None => commands::resume(client, &installation).await,
        }
    })?)
}
