//! One ConfigMap: what pods read is made what it says, and its Relocation tells
//! of it.

mod telling;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams, Preconditions};
use portcullis_relocation::moments::Moment;
use portcullis_relocation::promotion::{self, Action, Input, Promotion};
use portcullis_relocation::{ConfigMap, Content, Field, Manifest};

use super::Serving;
use super::readers::{Readers, Users};
use crate::cluster::relocation::reading::{Read, Target, told};
use crate::cluster::relocation::resource::{self, Stage};
use crate::failpoint::reached;

/// How often others may come in between.
const TRIES: usize = 5;

/// What became of a write.
enum Written {
    Done,
    /// Somebody else was faster: all is read again.
    Conflict,
}

/// What is served now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Promoted {
    /// Keys that were moved.
    pub(super) moved: usize,
    /// Things that are wrong.
    pub(super) problems: usize,
}

/// Brings what is served of this ConfigMap to what was committed.
///
/// # Errors
///
/// Why it could not be done, one line.
pub(super) async fn promote(
    serving: &Serving,
    namespace: &str,
    name: &str,
    readers: &Readers,
) -> Result<Promoted, String> {
    let users = readers.of(name);
    let one = One {
        serving,
        target: Target {
            client: &serving.client,
            namespace,
            name,
        },
    };
    for _ in 0..TRIES {
        let read = one.target.read().await?;
        if !read.is_concerned() && !read.holds_any(&users.awaited) {
            return Ok(Promoted::default());
        }
        match one.act(&read, &users).await {
            Ok(Some(promotion)) => {
                one.tell(&read, &promotion, users).await?;
                return Ok(Promoted {
                    moved: moved(&read),
                    problems: promotion.problems.len(),
                });
            }
            Ok(None) => {}
            Err(problem) => {
                let told = one.tell_why(&read, &problem).await;
                return told.and(Err(problem));
            }
        }
    }
    Err("others keep writing what is served".to_owned())
}

/// One ConfigMap that is looked after.
struct One<'a> {
    serving: &'a Serving,
    target: Target<'a>,
}

impl One<'_> {
    /// None where somebody else was faster.
    async fn act(&self, read: &Read, users: &Users) -> Result<Option<Promotion>, String> {
        let keyring = self.serving.keys.get().await?;
        let promotion = promotion::plan(&Input {
            namespace: self.target.namespace,
            name: self.target.name,
            serving: &read.serving,
            config_map: read.config_map.as_ref(),
            staged: &read.staged,
            prepared: &prepared(read),
            named: &users.named,
            awaited: &users.awaited,
            keyring: &keyring,
        });
        let promotion = promotion.map_err(|error| error.to_string())?;
        for action in &promotion.actions {
            reached(Moment::PromoteWriting);
            if let Written::Conflict = self.write(action).await? {
                return Ok(None);
            }
            reached(Moment::PromoteWritten);
        }
        Ok(Some(promotion))
    }

    async fn write(&self, action: &Action) -> Result<Written, String> {
        let (secrets, parameters) = (self.target.secrets(), PostParams::default());
        let (name, written) = match action {
            Action::Create(manifest) => {
                let created = secrets.create(&parameters, &secret(manifest)?).await;
                (&manifest.metadata.name, created.map(drop))
            }
            Action::Update(manifest) => {
                let (name, secret) = (&manifest.metadata.name, secret(manifest)?);
                let replaced = secrets.replace(name, &parameters, &secret).await;
                (name, replaced.map(drop))
            }
            Action::Delete {
                name,
                uid,
                resource_version,
            } => {
                let parameters = DeleteParams::default().preconditions(Preconditions {
                    uid: Some(uid.clone()),
                    resource_version: Some(resource_version.clone()),
                });
                (name, secrets.delete(name, &parameters).await.map(drop))
            }
        };
        match written {
            Ok(()) => {
                let (namespace, config_map) = (self.target.namespace, self.target.name);
                tracing::info!(namespace, config_map, secret = name, "brought up to date");
                Ok(Written::Done)
            }
            Err(kube::Error::Api(status))
                if matches!(&*status.reason, "AlreadyExists" | "Conflict" | "NotFound") =>
            {
                Ok(Written::Conflict)
            }
            Err(error) => Err(told(name)(error)),
        }
    }
}

fn moved(read: &Read) -> usize {
    let map = read.config_map.as_ref().map(ConfigMap::new);
    // What cannot be read, the API server would not have let through.
    let contents = map.and_then(|map| map.contents().ok()).unwrap_or_default();
    let is_moved = |content: &&Content| matches!(content, Content::Placeholder(_));
    contents.values().filter(is_moved).count()
}

/// The keys whose values are to be served while the ConfigMap holds them.
fn prepared(read: &Read) -> BTreeSet<Field> {
    let spec = read.relocation.as_ref().map(resource::spec);
    let spec = spec.filter(|spec| spec.stage == Stage::Prepare);
    let keys = spec.map(|spec| spec.keys).unwrap_or_default();
    let both = |key: String| [Field::text(key.clone()), Field::binary(key)];
    keys.into_iter().flat_map(both).collect()
}

fn secret(manifest: &Manifest) -> Result<Secret, String> {
    let secret = serde_json::to_value(manifest).and_then(serde_json::from_value);
    // The error of a parser may show what it read.
    secret.map_err(|_| format!("Secret {} cannot be written", manifest.metadata.name))
}
