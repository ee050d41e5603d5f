//! `portcullis pause`, `resume` and `deregister`: what a person does to the
//! registration. They work without any replica, and each says one line.

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, PostParams};

use super::registrations::api::Slot;
use super::state::{How, Kind, api};

/// Which installation is meant.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Its namespace.
    pub namespace: String,
    /// The name of its webhook configurations.
    pub name: String,
}

/// Takes both configurations away until `resume`, and says who did it.
///
/// # Errors
///
/// Whatever the API server says.
pub async fn take_away(client: Client, of: &Installation, how: How) -> Result<String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &of.namespace);
    let who = who(client.clone()).await?;
    let mut stored = api::read(&maps).await?;
    stored
        .state
        .take_away(how, &who, &Timestamp::now().to_string());
    // Written first: a replica that sees them gone must know why.
    stored.write(&maps, None).await?;
    for kind in Kind::ALL {
        Slot::new(client.clone(), kind, &of.name).delete().await?;
    }
    let done = match how {
        How::Deregistered => "deregistered, for an uninstallation",
        How::Paused | How::Deleted => "paused",
    };
    Ok(format!(
        "{done} by {who}: no request is judged until `portcullis resume --namespace {}`\n",
        of.namespace
    ))
}

/// Lets the configurations come back.
///
/// # Errors
///
/// Whatever the API server says.
pub async fn resume(client: Client, of: &Installation) -> Result<String> {
    let maps: Api<ConfigMap> = Api::namespaced(client, &of.namespace);
    let mut stored = api::read(&maps).await?;
    if !stored.state.is_paused() {
        return Ok("nothing is away: nothing to resume\n".to_owned());
    }
    stored.state.away.clear();
    stored.state.registered.clear();
    stored.write(&maps, None).await?;
    Ok("resumed: Portcullis registers itself again within seconds, with Ignore first\n".to_owned())
}

/// Whom the API server takes us for.
async fn who(client: Client) -> Result<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    let (parameters, nothing) = (PostParams::default(), SelfSubjectReview::default());
    let review = reviews.create(&parameters, &nothing).await;
    let review = review.context("asking the API server who this is")?;
    let user = review.status.and_then(|status| status.user_info?.username);
    user.context("the API server does not say who this is")
}
