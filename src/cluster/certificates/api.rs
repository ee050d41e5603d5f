//! The Secret of certificates: kept by the leader, served by every replica.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arc_swap::ArcSwapOption;
use futures_util::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::Notify;

use super::contents::Contents;
use super::{Action, Lifetimes, next};
use crate::cluster::anchor::api::Anchor;
use crate::cluster::home::MANAGER;
use crate::cluster::self_call::SelfCall;
use crate::cluster::watching::Pauses;
use crate::server::tls;
use crate::telemetry::Metrics;

/// The Secret, in the namespace of the installation.
pub const NAME: &str = "portcullis-certificates";
/// What tells our own Secret from one that somebody else made.
pub const OWNED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "portcullis");
/// No state needs more steps than: begin, issue, drop.
const STEPS: usize = 4;

/// Keeps the Secret as it should be.
pub struct Keeper {
    /// The Secrets of the installation's namespace.
    pub secrets: Api<Secret>,
    /// `NAMESPACE/NAME` of the Secret, for messages.
    pub place: String,
    /// What the leaf is for.
    pub names: Vec<String>,
    /// What owns the Secret.
    pub anchor: Arc<Anchor>,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// What was last served: a Secret that is deleted is not all there is.
    pub known: Arc<ArcSwapOption<Contents>>,
}

/// What the Secret holds now, and when to look again.
pub struct Kept {
    /// Its contents.
    pub contents: Contents,
    /// Whether its newest CA has to get into every caBundle.
    pub to_publish: bool,
    /// When something is due next, Unix seconds.
    pub until: i64,
    secret: Secret,
}

impl Keeper {
    /// Does what is due at `now` (Unix seconds), as far as it needs no
    /// registration.
    ///
    /// # Errors
    ///
    /// A Secret of that name which is not ours; whatever the API server says.
    pub async fn keep(&self, now: i64, own: &SelfCall) -> Result<Kept> {
        let (mut secret, mut contents) = self.read().await?;
        for _ in 0..STEPS {
            let facts = contents
                .as_ref()
                .map(|contents| contents.facts(&self.names));
            let facts = facts.transpose().context(self.place.clone())?;
            let action = next(now, facts.as_ref(), &self.lifetimes);
            let changed = match (&contents, action) {
                (Some(contents), Action::Wait { .. } | Action::Publish) => {
                    let until = match action {
                        Action::Wait { until } => until,
                        _ => now,
                    };
                    return Ok(Kept {
                        until,
                        contents: contents.clone(),
                        to_publish: action == Action::Publish,
                        secret: secret.unwrap_or_default(),
                    });
                }
                (Some(contents), Action::IssueLeaf { of_new_ca }) => {
                    let is_served = facts.is_some_and(|facts| now < facts.leaf.to);
                    if of_new_ca && is_served {
                        own.call(Some(&contents.bundle())).await.context(
                            "the leaf of the new CA waits until the Service answers with the old",
                        )?;
                    }
                    contents.with_new_leaf(&self.names, now, &self.lifetimes)?
                }
                (Some(contents), Action::AddCa) => contents.with_new_ca(now, &self.lifetimes)?,
                (Some(contents), Action::DropExpired) => contents.without_expired(now),
                (_, _) => self.begin(now)?,
            };
            tracing::info!(?action, "certificates change");
            secret = Some(self.write(secret, &changed).await?);
            contents = Some(changed);
        }
        bail!("{}: no end of changes", self.place)
    }

    /// Says in the Secret that its newest CA is in every caBundle.
    ///
    /// # Errors
    ///
    /// Whatever the API server says.
    pub async fn published(&self, kept: Kept, now: i64) -> Result<()> {
        let published = kept.contents.published_at(now);
        self.write(Some(kept.secret), &published).await.map(drop)
    }

    /// Something new: beside what callers know, if that is known here.
    fn begin(&self, now: i64) -> Result<Contents> {
        let known = self.known.load_full();
        let usable = known.filter(|known| {
            let facts = known.facts(&self.names);
            facts.is_ok_and(|facts| facts.cas.iter().any(|ca| now < ca.to))
        });
        Ok(match usable {
            Some(known) => known.with_new_ca(now, &self.lifetimes)?,
            None => Contents::begin(&self.names, now, &self.lifetimes)?,
        })
    }

    /// The Secret, if it is there, and its contents, if they are whole.
    async fn read(&self) -> Result<(Option<Secret>, Option<Contents>)> {
        let found = self.secrets.get_opt(NAME).await;
        let Some(secret) = found.with_context(|| format!("reading Secret {}", self.place))? else {
            return Ok((None, None));
        };
        let contents = match parse(&secret, &self.place)? {
            Ok(contents) => Some(contents),
            Err(damage) => {
                tracing::error!(secret = self.place, %damage, "damaged certificates are made anew");
                None
            }
        };
        Ok((Some(secret), contents))
    }

    async fn write(&self, secret: Option<Secret>, contents: &Contents) -> Result<Secret> {
        let parameters = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let written = match secret {
            Some(mut secret) => {
                let before = secret.data.take().unwrap_or_default();
                // With the resourceVersion that was read.
                let data = Some(contents.data_over(before));
                let changed = Secret { data, ..secret };
                self.secrets.replace(NAME, &parameters, &changed).await
            }
            None => {
                let owner = self.anchor.owner().await?;
                let data = Some(contents.data());
                self.secrets.create(&parameters, &new(data, owner)).await
            }
        };
        written.with_context(|| format!("writing Secret {}", self.place))
    }
}

fn new(
    data: Option<std::collections::BTreeMap<String, k8s_openapi::ByteString>>,
    owner: Option<OwnerReference>,
) -> Secret {
    let (key, value) = OWNED_BY;
    Secret {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            labels: Some([(key.to_owned(), value.to_owned())].into()),
            owner_references: owner.map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data,
        ..Secret::default()
    }
}

/// The contents of our Secret.
///
/// # Errors
///
/// Outside: it is somebody else's. Inside: it is damaged.
fn parse(secret: &Secret, place: &str) -> Result<Result<Contents, super::contents::Damage>> {
    let (key, value) = OWNED_BY;
    let labels = secret.metadata.labels.as_ref();
    if labels
        .and_then(|labels| labels.get(key))
        .map(String::as_str)
        != Some(value)
    {
        bail!(
            "Secret {place} is not of Portcullis, which leaves it alone: rename or delete it, or \
             label it {key}={value} to have it overwritten"
        );
    }
    let none = Default::default();
    Ok(Contents::parse(secret.data.as_ref().unwrap_or(&none)))
}

/// Serves what the Secret holds, whenever that changes, until it is dropped.
pub async fn serve(
    keeper: Arc<Keeper>,
    certificate: Arc<tls::Certificate>,
    metrics: Arc<Metrics>,
    changed: Arc<Notify>,
) {
    let watch = watcher::watch_object(keeper.secrets.clone(), NAME).backoff(Pauses::default());
    pin_mut!(watch);
    while let Some(event) = watch.next().await {
        match event {
            Ok(Some(secret)) => match take(&keeper, &secret, &certificate, &metrics) {
                Ok(()) => {}
                Err(error) => {
                    metrics.certificate_reload(false);
                    tracing::error!(
                        "the changed certificate was refused; the old one stays: {error:#}"
                    );
                }
            },
            Ok(None) => tracing::info!(secret = keeper.place, "there are no certificates yet"),
            Err(error) => tracing::warn!(%error, "the watch of the certificates starts again"),
        }
        changed.notify_one();
    }
}

fn take(
    keeper: &Keeper,
    secret: &Secret,
    certificate: &tls::Certificate,
    metrics: &Metrics,
) -> Result<()> {
    let contents = parse(secret, &keeper.place)?.with_context(|| keeper.place.clone())?;
    let leaf = &contents.leaf;
    let (cert, key) = (leaf.certificate.clone(), leaf.key.clone());
    if certificate.replace(cert.into_bytes(), key.into_bytes())? {
        metrics.certificate_reload(true);
        let not_after = certificate.not_after().unwrap_or_default();
        metrics.certificate(not_after);
        tracing::info!(not_after, "the certificate was replaced");
    }
    keeper.known.store(Some(Arc::new(contents)));
    Ok(())
}
