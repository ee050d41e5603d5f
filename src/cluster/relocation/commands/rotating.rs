//! `portcullis secrets rotate-keys`: other keys for the digests in placeholders.

use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, PostParams};

use super::moved::{first_of, placeholders};
use crate::cluster::relocation::admission::now;
use crate::cluster::relocation::keys::rotation;
use crate::cluster::relocation::keys::{FRESH, NAME};

/// Until every replica knows an added key, twice over.
const KNOWN: Duration = FRESH.saturating_mul(2);

/// Makes new digests with a new key; the former one is recognised on. It may be
/// run again where it was ended in the middle.
///
/// # Errors
///
/// There are no keys in this namespace; somebody else wrote them meanwhile; what
/// the API server says.
pub async fn rotate(client: &Client, installation: &str) -> Result<String> {
    let keys = Keys::new(client, installation);
    let mut secret = keys.read().await?;
    rotation::announce(secret.data.get_or_insert_default()).map_err(Error::msg)?;
    keys.write(&secret).await?;
    tokio::time::sleep(KNOWN).await;
    let mut secret = keys.read().await?;
    rotation::exchange(
        secret.data.get_or_insert_default(),
        now().map_err(Error::msg)?,
    );
    keys.write(&secret).await?;
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
    let mut secret = keys.read().await?;
    let entries = secret.data.get_or_insert_default();
    let Some(until) = rotation::followed(entries) else {
        return Ok("there is no former key\n".to_owned());
    };
    let sealed = sealed_before(client, until).await?;
    rotation::drop_former(entries);
    keys.write(&secret).await?;
    Ok(said(&sealed))
}

fn said(sealed: &[String]) -> String {
    let mut said = "former keys are recognised no more\n".to_owned();
    if !sealed.is_empty() {
        said += "pods go on reading what these ConfigMaps hold; apply each with its values again, \
                 and it gets placeholders of the present key:\n";
        said += &first_of(sealed.iter().map(|place| format!("  ConfigMap {place}")));
    }
    said
}

/// ConfigMaps with a placeholder that was issued up to this time.
async fn sealed_before(client: &Client, until: u32) -> Result<Vec<String>> {
    let found = placeholders(client, None).await?.into_iter();
    let sealed = found.filter(|(_, moved)| moved.values().any(|one| one.digest.issued() <= until));
    Ok(sealed.map(|(place, _)| place).collect())
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

    fn place(&self) -> String {
        format!("Secret {}/{NAME}", self.namespace)
    }

    async fn read(&self) -> Result<Secret> {
        let found = self.secrets.get_opt(NAME).await;
        found.with_context(|| self.place())?.with_context(|| {
            format!(
                "there is no Secret {NAME} in namespace {}: give --installation NAMESPACE, that of \
                 a webhook with relocation",
                self.namespace
            )
        })
    }

    /// What somebody else wrote since it was read is not overwritten.
    async fn write(&self, secret: &Secret) -> Result<()> {
        let parameters = PostParams::default();
        match self.secrets.replace(NAME, &parameters, secret).await {
            Err(kube::Error::Api(status)) if status.reason == "Conflict" => {
                bail!("somebody else wrote {}: try again", self.place())
            }
            written => written.map(drop).with_context(|| self.place()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_which_config_maps_to_apply_again() {
        assert_eq!(said(&[]), "former keys are recognised no more\n");
        let many: Vec<String> = (0..21).map(|n| format!("shop/app-{n}")).collect();
        let said = said(&many);
        assert!(said.contains("\n  ConfigMap shop/app-0\n"), "{said}");
        assert!(said.ends_with("\nand 1 ConfigMaps more\n"), "{said}");
    }
}
