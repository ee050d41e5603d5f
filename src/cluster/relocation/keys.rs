//! The keys of the digests in placeholders: a Secret of the installation, which
//! all replicas share.
//!
//! `current` makes new digests; every other entry is recognised besides
//! ([`rotation`]). A placeholder of a lost key still stands; only the value sent
//! again gets another one.

pub mod rotation;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use portcullis_relocation::digest::Keyring;
use tokio::sync::Mutex;

use crate::cluster::home::MANAGER;
use crate::cluster::told::one_line;

/// The Secret's name.
pub const NAME: &str = "portcullis-relocation-keys";
/// Its entry of the key that new digests are made with.
pub const CURRENT: &str = "current";
/// Bytes of a key.
const KEY: usize = 32;
/// How long what was read counts: an added key is recognised everywhere after
/// that.
pub const FRESH: Duration = Duration::from_secs(10);

/// Between tries to make them.
const AGAIN: Duration = Duration::from_secs(5);

/// The keys of an installation, as they were last read.
pub struct Keys {
    secrets: Api<Secret>,
    known: Mutex<Option<(Instant, Arc<Keyring>)>>,
}

impl Keys {
    /// Of the installation in this namespace.
    pub fn new(client: Client, namespace: &str) -> Keys {
        Keys {
            secrets: Api::namespaced(client, namespace),
            known: Mutex::default(),
        }
    }

    /// Makes the Secret where there is none, however long that takes: at the
    /// start, since a dry run may be the first that asks for it.
    pub async fn make(client: Client, namespace: String) {
        let secrets = Api::namespaced(client, &namespace);
        while let Err(problem) = made(&secrets).await {
            tracing::warn!(problem, "no value is moved; it is tried again");
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The keys. What was read before stays while the API server is away.
    ///
    /// # Errors
    ///
    /// Why there are none, one line.
    pub async fn get(&self) -> Result<Arc<Keyring>, String> {
        let mut known = self.known.lock().await;
        if let Some((read, keyring)) = &*known
            && read.elapsed() < FRESH
        {
            return Ok(Arc::clone(keyring));
        }
        match (self.read().await, &*known) {
            (Ok(keyring), _) => {
                let keyring = Arc::new(keyring);
                *known = Some((Instant::now(), Arc::clone(&keyring)));
                Ok(keyring)
            }
            (Err(problem), Some((_, keyring))) => {
                tracing::warn!(problem, "keys of placeholders: those known stay");
                Ok(Arc::clone(keyring))
            }
            (Err(problem), None) => Err(problem),
        }
    }

    /// Keys of nobody: for who believes Secrets without them.
    ///
    /// # Panics
    ///
    /// Never: they are long enough.
    pub fn none() -> Arc<Keyring> {
        Arc::new(Keyring::new(&[0; KEY], &[]).unwrap_or_else(|short| unreachable!("{short}")))
    }

    async fn read(&self) -> Result<Keyring, String> {
        let told = |error: kube::Error| format!("Secret {NAME}: {}", one_line(&error));
        let found = self.secrets.get_opt(NAME).await.map_err(told)?;
        let missing = || format!("Secret {NAME} is not there: the webhook makes it when it starts");
        ring(&found.ok_or_else(missing)?)
    }
}

async fn made(secrets: &Api<Secret>) -> Result<(), String> {
    let told = |error: kube::Error| format!("Secret {NAME}: {}", one_line(&error));
    if secrets.get_opt(NAME).await.map_err(told)?.is_some() {
        return Ok(());
    }
    match secrets.create(&PostParams::default(), &fresh()?).await {
        // Another replica was faster.
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        made => made.map(drop).map_err(told),
    }
}

/// A new key.
fn random() -> Result<ByteString, String> {
    let mut key = vec![0; KEY];
    rand::fill(&mut key).map_err(|_| "there is no randomness".to_owned())?;
    Ok(ByteString(key))
}

fn fresh() -> Result<Secret, String> {
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            labels: Some([("app.kubernetes.io/managed-by".into(), MANAGER.into())].into()),
            ..ObjectMeta::default()
        },
        data: Some([(CURRENT.to_owned(), random()?)].into()),
        ..Secret::default()
    })
}

fn ring(secret: &Secret) -> Result<Keyring, String> {
    let data = secret.data.as_ref();
    let current = data.and_then(|data| data.get(CURRENT));
    let current = current.ok_or_else(|| format!("Secret {NAME} has no entry `{CURRENT}`"))?;
    let others = data
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != CURRENT);
    let others: Vec<&[u8]> = others.map(|(_, key)| key.0.as_slice()).collect();
    Keyring::new(&current.0, &others).map_err(|short| format!("Secret {NAME}: {short}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_secret_is_a_keyring_and_no_two_are_alike() {
        let (one, other) = (fresh().expect("keys"), fresh().expect("keys"));
        assert_ne!(one.data, other.data);
        assert!(ring(&one).is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_without_a_key() {
        let short = Secret {
            data: Some([(CURRENT.to_owned(), ByteString(b"hunter2".to_vec()))].into()),
            ..Secret::default()
        };
        let problem = ring(&short).expect_err("it is short");
        assert!(
            problem.contains("7 bytes") && !problem.contains("hunter2"),
            "{problem}"
        );
        assert!(ring(&Secret::default()).is_err());
    }
}
