//! `portcullis secrets prepare` and `redact`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, PostParams};
use portcullis_relocation::moments::Moment;
use portcullis_relocation::{ConfigMap as Contents, Content, Field};

use crate::cluster::relocation::resource::{self, Spec, Stage};
use crate::failpoint::reached;

/// How long `prepare` waits for the Secret.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(200);

/// Has these keys served from a Secret, too, and waits until they are.
///
/// # Errors
///
/// A key is not there; what the API server says; nobody serves.
pub async fn prepare(
    client: &Client,
    namespace: &str,
    name: &str,
    keys: &BTreeSet<String>,
) -> Result<String> {
    let (_, object) = config_map(client, namespace, name).await?;
    let value = serde_json::to_value(&object)?;
    let contents = Contents::new(&value).contents()?;
    let there: BTreeSet<String> = contents.into_keys().map(|field| field.key).collect();
    if let Some(missing) = keys.iter().find(|key| !there.contains(*key)) {
        bail!("ConfigMap {namespace}/{name} has no key `{missing}`");
    }
    let relocations = resource::within(client, namespace);
    let before = relocations.get_opt(name).await.context("Relocations")?;
    let before = before.as_ref().map(resource::spec).unwrap_or_default();
    let mut all = keys.clone();
    all.extend(before.keys);
    let spec = Spec {
        stage: Stage::Prepare,
        keys: all,
    };
    super::put(client, namespace, name, &spec).await?;
    reached(Moment::PrepareTold);
    let until = Instant::now() + PATIENCE;
    loop {
        let found = relocations.get(name).await.context("Relocations")?;
        let served = resource::status(&found).fields();
        let is_served = |key: &String| {
            served.contains(&Field::text(key)) || served.contains(&Field::binary(key))
        };
        if keys.iter().all(is_served) {
            let list = keys.iter().cloned().collect::<Vec<_>>().join(", ");
            return Ok(format!(
                "{list} of ConfigMap {namespace}/{name} are served from a Secret, too: restart the \
                 workloads that read them, then `portcullis secrets redact {namespace} {name}`\n"
            ));
        }
        if Instant::now() > until {
            bail!(
                "nobody serves them after {PATIENCE:?}: look at `kubectl logs -l \
                 app.kubernetes.io/component=relocation` of the installation"
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Has the webhook move what is secret in a ConfigMap that is there.
///
/// # Errors
///
/// It is refused, above all because pods read it still; it then stays as it is.
pub async fn redact(client: &Client, namespace: &str, name: &str) -> Result<String> {
    let (maps, object) = config_map(client, namespace, name).await?;
    let relocations = resource::within(client, namespace);
    let before = relocations.get_opt(name).await.context("Relocations")?;
    let before = before.as_ref().map(resource::spec).unwrap_or_default();
    let spec = Spec {
        stage: Stage::Redact,
        keys: before.keys.clone(),
    };
    super::put(client, namespace, name, &spec).await?;
    reached(Moment::RedactTold);
    if object.immutable == Some(true) && !has_moved(&object)? {
        bail!(
            "ConfigMap {namespace}/{name} is immutable and stays as it is: once no pod from before \
             `portcullis secrets prepare` reads it, delete it and create it again; its values are \
             moved then, since it is at stage Redact now"
        );
    }
    // The same object again: the webhook sees it, and changes it.
    let written = async {
        let object = maps.get(name).await?;
        maps.replace(name, &PostParams::default(), &object).await
    };
    let written = written.await;
    reached(Moment::RedactWritten);
    match written {
        Ok(stored) if !has_moved(&stored)? => {
            super::put(client, namespace, name, &before).await?;
            bail!(
                "nothing was moved out of ConfigMap {namespace}/{name}, which is at its stage before: \
                 no policy with the action Move finds a secret in it, the namespace is not \
                 enrolled, or the webhook was not asked (`portcullis secrets plan {namespace}`, \
                 `portcullis doctor`)"
            );
        }
        Ok(_) => Ok(format!(
            "what is secret in ConfigMap {namespace}/{name} is moved (`kubectl get relocation {name} \
             --namespace {namespace}`)\n"
        )),
        Err(error) => {
            super::put(client, namespace, name, &before).await?;
            Err(error).with_context(|| {
                format!("ConfigMap {namespace}/{name} stays as it is, at its stage before")
            })
        }
    }
}

/// Whether a placeholder stands in it.
fn has_moved(object: &ConfigMap) -> Result<bool> {
    let value = serde_json::to_value(object)?;
    let mut held = Contents::new(&value).contents()?.into_values();
    Ok(held.any(|content| matches!(content, Content::Placeholder(_))))
}

async fn config_map(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<(Api<ConfigMap>, ConfigMap)> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let found = maps.get_opt(name).await.context("the ConfigMap")?;
    let found = found.with_context(|| format!("there is no ConfigMap {namespace}/{name}"))?;
    Ok((maps, found))
}
