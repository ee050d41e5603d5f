//! `portcullis secrets restore`: the way out. It needs no server of ours.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use portcullis_relocation::digest::Keyring;
use portcullis_relocation::moments::Moment;
use portcullis_relocation::promotion::{Input, wanted as wanted_secrets};
use portcullis_relocation::{marks, restore as pure};
use serde_json::Value;

use super::moved::{each, unreadable};
use crate::cluster::relocation::keys::Keys;
use crate::cluster::relocation::reading::Target;
use crate::cluster::relocation::resource::{Spec, Stage};
use crate::failpoint::reached;

/// The version that a write rests on: the API server does not ask the webhook of
/// that one write, if who sends it may `restore` `relocations`.
const RESTORED: &str = "portcullis.dev/restored";
/// How often somebody else may come in between.
const TRIES: u32 = 4;
/// For how long who hinders is waited for at first, and twice as long each time
/// after that: a replica of the webhook may have to hear of the stage.
const PAUSE: Duration = Duration::from_millis(200);

/// What to put back.
#[derive(Debug, Clone)]
pub struct Restoration {
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// One ConfigMap, or all.
    pub config_map: Option<String>,
    /// Whether Secrets are believed without the keys of the digests.
    pub trusting: bool,
    /// The namespace of the installation, where those keys are.
    pub installation: String,
}

/// Puts values back; what was done, and whether all was.
///
/// # Errors
///
/// What the API server says before anything was done.
pub async fn restore(client: &Client, wanted: &Restoration) -> Result<(String, bool)> {
    let (mut said, mut all) = (String::new(), true);
    for (namespace, name) in moved(client, wanted).await? {
        match one(client, wanted, &namespace, &name).await {
            Ok(line) => {
                let _ = writeln!(said, "{namespace}/{name}: {line}");
            }
            Err(error) => {
                all = false;
                let _ = writeln!(said, "{namespace}/{name}: NOT put back: {error:#}");
            }
        }
    }
    if said.is_empty() {
        said = "nothing is moved there: nothing to put back\n".to_owned();
    }
    Ok((said, all))
}

/// The ConfigMaps with placeholders. Their label says so, which anybody could
/// have taken off, so that those of a namespace are looked at one by one.
async fn moved(client: &Client, wanted: &Restoration) -> Result<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    let take = |namespace: &str, map: &ConfigMap| {
        let name = map.name_any();
        let value = serde_json::to_value(map).map_err(|_| unreadable(namespace, map))?;
        let named = wanted_secrets(&value).map_err(|_| unreadable(namespace, map))?;
        let is_wanted = wanted.config_map.as_ref().is_none_or(|one| *one == name);
        if is_wanted && (!named.is_empty() || map.labels().contains_key(marks::MOVED)) {
            found.insert((namespace.to_owned(), name));
        }
        Ok(())
    };
    each(client, wanted.namespace.as_deref(), take).await?;
    Ok(found)
}

async fn one(client: &Client, wanted: &Restoration, namespace: &str, name: &str) -> Result<String> {
    let spec = Spec {
        stage: Stage::Audit,
        ..Spec::default()
    };
    let is_installed = match super::put(client, namespace, name, &spec).await {
        // A backup that was put into a cluster without Portcullis.
        Err(error) if is_unknown(&error) => false,
        told => told.map(|()| true)?,
    };
    reached(Moment::RestoreTold);
    let keyring = keyring(client, wanted).await?;
    let target = Target {
        client,
        namespace,
        name,
    };
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let mut hindrance = "";
    for pause in (0..TRIES).map(|tried| PAUSE * 2u32.pow(tried)) {
        let read = target.read().await.map_err(anyhow::Error::msg)?;
        let input = Input {
            namespace,
            name,
            serving: &read.serving,
            config_map: read.config_map.as_ref(),
            staged: &read.staged,
            prepared: &BTreeSet::new(),
            named: &BTreeSet::new(),
            awaited: &BTreeSet::new(),
            keyring: &keyring,
        };
        let planned = pure::plan(&input, wanted.trusting)?;
        if planned.recreate {
            return Err(anyhow!(
                "it is immutable: delete it and apply your manifest again, its values stay then"
            ));
        }
        if let Some(body) = &planned.object
            && let Some(what) = write(&maps, body.expose()).await?
        {
            hindrance = what;
            tokio::time::sleep(pause).await;
            continue;
        }
        return match planned.problems.first() {
            None if is_installed => Ok("put back; it stays at stage Audit".to_owned()),
            None => Ok("put back; Portcullis is not installed here".to_owned()),
            Some(problem) => Err(anyhow!("{}", super::super::told::problem(problem))),
        };
    }
    Err(anyhow!(hindrance))
}

/// Writes it over the version that is in it; what hinders, if something does.
async fn write(maps: &Api<ConfigMap>, body: &Value) -> Result<Option<&'static str>> {
    let mut sent = body.clone();
    let version = sent["metadata"]["resourceVersion"].clone();
    sent["metadata"]["annotations"][RESTORED] = version;
    // The error of a parser may show what it read.
    let sent: ConfigMap =
        serde_json::from_value(sent).map_err(|_| anyhow!("the ConfigMap cannot be written"))?;
    reached(Moment::RestoreWriting);
    let (name, parameters) = (sent.name_any(), PostParams::default());
    let written = maps.replace(&name, &parameters, &sent).await;
    reached(Moment::RestoreWritten);
    match written {
        Err(kube::Error::Api(status)) if status.reason == "Conflict" => {
            Ok(Some("others keep writing it"))
        }
        written => Ok(is_moved_again(body, &written?)?.then_some(
            "the webhook moved it again, since it has not heard of stage Audit yet: try again in a \
             minute, or have the right to `restore` `relocations`",
        )),
    }
}

/// Whether values that were sent are placeholders in what was stored.
fn is_moved_again(sent: &Value, stored: &ConfigMap) -> Result<bool> {
    let stored = serde_json::to_value(stored)?;
    let [sent, stored] =
        [sent, &stored].map(|one| portcullis_relocation::ConfigMap::new(one).moved());
    Ok(!stored.is_subset(&sent))
}

/// The keys of the digests, or none where the Secrets are believed without.
async fn keyring(client: &Client, wanted: &Restoration) -> Result<Arc<Keyring>> {
    let keys = Keys::new(client.clone(), &wanted.installation);
    match (keys.get().await, wanted.trusting) {
        (Ok(keyring), _) => Ok(keyring),
        (Err(_), true) => Ok(Keys::none()),
        (Err(problem), false) => Err(anyhow!(
            "the keys of the digests cannot be read ({problem}): give --installation, or look at the \
             Secrets and give --trusting"
        )),
    }
}

/// Whether the API server has no such kind.
fn is_unknown(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_webhook_moved_again_is_not_put_back() {
        let digest = "0".repeat(76);
        let placeholder = format!("moved-secret:v1:portcullis-moved-s-00000000000000aa:{digest}");
        let map = |data: Value| json!({"metadata": {"name": "app"}, "data": data});
        let stored = |data: Value| serde_json::from_value(map(data)).expect("a ConfigMap");
        let sent = map(json!({"A": "x", "B": placeholder}));
        let is_moved = |data: Value| is_moved_again(&sent, &stored(data)).expect("readable");
        assert!(!is_moved(json!({"A": "x", "B": placeholder})));
        assert!(!is_moved(json!({"A": "of another webhook"})));
        assert!(is_moved(json!({"A": placeholder, "B": placeholder})));
    }
}
