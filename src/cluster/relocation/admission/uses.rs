//! Which running pods would be shown a placeholder, were a key moved now.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use portcullis_relocation::pod::{Known, Maps, unrewritten};
use portcullis_relocation::{ConfigMap, Content, Field, names};
use serde_json::Value;

use super::Moving;
use crate::cluster::relocation::pages;

impl Moving {
    /// For each key of `fields` that pods read from the ConfigMap itself, the
    /// names of these pods.
    ///
    /// # Errors
    ///
    /// Why nobody knows, one line.
    pub(super) async fn readers(
        &self,
        namespace: &str,
        name: &str,
        object: &Value,
        fields: &BTreeSet<Field>,
    ) -> Result<BTreeMap<Field, Vec<String>>, String> {
        let maps = Maps::from([(name.to_owned(), as_moved(object, fields))]);
        let mut readers = BTreeMap::<Field, Vec<String>>::new();
        let take = |pod: Pod| {
            let name = pod.metadata.name.clone().unwrap_or_default();
            let value = serde_json::to_value(pod)
                .map_err(|_| format!("a pod of {namespace} cannot be read"))?;
            if has_ended(&value) {
                return Ok(());
            }
            let used = unrewritten(&value, None, &maps);
            let keys: BTreeSet<&String> = used.iter().flat_map(|one| &one.keys).collect();
            for field in fields.iter().filter(|field| keys.contains(&field.key)) {
                readers.entry(field.clone()).or_default().push(name.clone());
            }
            Ok(())
        };
        pages::pods(&self.client, namespace, take).await?;
        Ok(readers)
    }
}

/// The ConfigMap as if these keys had moved.
pub(in crate::cluster::relocation) fn as_moved(object: &Value, fields: &BTreeSet<Field>) -> Known {
    let half = |half| {
        let of_half = fields.iter().filter(|field| field.half == half);
        of_half.map(|field| field.key.clone()).collect()
    };
    Known {
        exists: true,
        keys: ConfigMap::new(object)
            .contents()
            .unwrap_or_default()
            .into_keys()
            .map(|field| field.key)
            .collect(),
        text: half(names::Half::Text),
        binary: half(names::Half::Binary),
    }
}

/// Those keys of `secret` that are no placeholders in the stored ConfigMap.
pub(super) fn newly_secret(old: &Value, secret: &BTreeSet<Field>) -> BTreeSet<Field> {
    let contents = ConfigMap::new(old).contents().unwrap_or_default();
    let is_plain = |field: &&Field| !matches!(contents.get(field), Some(Content::Placeholder(_)));
    secret.iter().filter(is_plain).cloned().collect()
}

/// Whether none of its containers starts again.
pub(in crate::cluster::relocation) fn has_ended(pod: &Value) -> bool {
    matches!(
        pod["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed")
    )
}
