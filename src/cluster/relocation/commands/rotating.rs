//! `portcullis secrets rotate-keys`: other keys for the digests in placeholders.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use portcullis_relocation::{ConfigMap as Contents, Content};

use super::moved::each;
use crate::cluster::relocation::admission::now;
use crate::cluster::relocation::keys::rotation::{self, Entries};
use crate::cluster::relocation::keys::{FRESH, NAME};

/// Until every replica knows an added key, twice over.
const KNOWN: Duration = FRESH.saturating_mul(2);
/// ConfigMaps that are named one by one.
const SHOWN: usize = 20;

/// Makes new digests with a new key; the former one is recognised on. It may be
/// run again where it was ended in the middle.
///
/// # Errors
///
/// There are no keys in this namespace; somebody else wrote them meanwhile; what
/// the API server says.
pub async fn rotate(client: &Client, installation: &str) -> Result<String> {
    let keys = Keys::new(client, installation);
    keys.change(|entries| rotation::announce(entries).map_err(|problem| anyhow!(problem)))
        .await?;
    tokio::time::sleep(KNOWN).await;
    let at = now().map_err(|problem| anyhow!(problem))?;
    keys.change(|entries| {
        rotation::exchange(entries, at);
        Ok(())
    })
    .await?;
    Ok(format!(
        "new placeholders are made with a new key. Those that there are stay as they are, since the \
         former key is recognised as well; if it may be known to others, take it out: \
         portcullis secrets rotate-keys --drop-former --installation {installation}\n"
    ))
}

/// Recognises former keys no more, and names the ConfigMaps with placeholders of
/// theirs.
///
/// # Errors
///
/// As for [`rotate`]; ConfigMaps cannot be listed.
pub async fn drop_former(client: &Client, installation: &str) -> Result<String> {
    let keys = Keys::new(client, installation);
    let (entries, _) = keys.read().await?;
    let Some(until) = rotation::followed(&entries) else {
        return Ok("there is no former key\n".to_owned());
    };
    let sealed = sealed_before(client, until).await?;
    keys.change(|entries| {
        rotation::drop_former(entries);
        Ok(())
    })
    .await?;
    Ok(said(&sealed))
}

fn said(sealed: &[String]) -> String {
    let mut said = "former keys are recognised no more\n".to_owned();
    if sealed.is_empty() {
        return said;
    }
    let _ = writeln!(
        said,
        "pods go on reading what these ConfigMaps hold; apply each with its values again, and it gets \
         placeholders of the present key:"
    );
    for place in sealed.iter().take(SHOWN) {
        let _ = writeln!(said, "  ConfigMap {place}");
    }
    if let Some(more) = sealed.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(said, "and {more} ConfigMaps more");
    }
    said
}

/// ConfigMaps with a placeholder that was issued up to this time.
async fn sealed_before(client: &Client, until: u32) -> Result<Vec<String>> {
    let mut found = Vec::new();
    each(client, None, |namespace, map| {
        let value = serde_json::to_value(map)?;
        let contents = Contents::new(&value).contents()?;
        let is_old = |content: &Content| match content {
            Content::Placeholder(placeholder) => placeholder.digest.issued() <= until,
            _ => false,
        };
        if contents.values().any(is_old) {
            found.push(format!("{namespace}/{}", map.name_any()));
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

/// The Secret of the keys.
struct Keys {
    secrets: Api<Secret>,
    namespace: String,
}

impl Keys {
    fn new(client: &Client, namespace: &str) -> Keys {
        Keys {
            secrets: Api::namespaced(client.clone(), namespace),
            namespace: namespace.to_owned(),
        }
    }

    async fn read(&self) -> Result<(Entries, Secret)> {
        let place = || format!("Secret {}/{NAME}", self.namespace);
        let Some(mut secret) = self.secrets.get_opt(NAME).await.with_context(place)? else {
            bail!(
                "there is no Secret {NAME} in namespace {}: give --installation NAMESPACE, that of a \
                 webhook with relocation",
                self.namespace
            );
        };
        Ok((secret.data.take().unwrap_or_default(), secret))
    }

    /// Nothing is written where nothing changes; what somebody else wrote
    /// meanwhile is not overwritten.
    async fn change(&self, change: impl FnOnce(&mut Entries) -> Result<()>) -> Result<()> {
        let (before, secret) = self.read().await?;
        let mut after = before.clone();
        change(&mut after)?;
        if after == before {
            return Ok(());
        }
        let changed = Secret {
            data: Some(after),
            ..secret
        };
        let parameters = PostParams::default();
        let place = || format!("Secret {}/{NAME}", self.namespace);
        match self.secrets.replace(NAME, &parameters, &changed).await {
            Err(kube::Error::Api(status)) if status.reason == "Conflict" => {
                bail!("somebody else wrote {}: try again", place())
            }
            written => written.map(drop).with_context(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_which_config_maps_to_apply_again() {
        assert_eq!(said(&[]), "former keys are recognised no more\n");
        let many: Vec<String> = (0..SHOWN + 1).map(|n| format!("shop/app-{n}")).collect();
        let said = said(&many);
        assert!(said.contains("\n  ConfigMap shop/app-0\n"), "{said}");
        assert!(said.ends_with("\nand 1 ConfigMaps more\n"), "{said}");
    }
}
