//! The pods that use a ConfigMap.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use portcullis_relocation::names::{Half, serving};
use portcullis_relocation::pod;

use super::One;
use crate::cluster::relocation::pods;

/// Who uses it.
#[derive(Default)]
pub(super) struct Users {
    /// Names of pods.
    pub(super) names: BTreeSet<String>,
    /// Halves whose serving Secret one of them names.
    pub(super) named: BTreeSet<Half>,
}

impl One<'_> {
    pub(super) async fn users(&self) -> Result<Users, String> {
        let mut users = Users::default();
        let (name, namespace) = (self.target.name, self.target.namespace);
        pods::each(self.target.client, namespace, |one| users.add(name, one)).await?;
        Ok(users)
    }
}

impl Users {
    fn add(&mut self, config_map: &str, pod: Pod) -> Result<(), String> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let value = serde_json::to_value(pod).map_err(|_| format!("pod {name} cannot be read"))?;
        if !pod::config_maps(&value).contains_key(config_map) {
            return Ok(());
        }
        // A name of ours is nobody else's, wherever it stands.
        let text = value.to_string();
        let is_named = |half: &Half| text.contains(&format!("\"{}\"", serving(config_map, *half)));
        self.named.extend(Half::ALL.into_iter().filter(is_named));
        self.names.insert(name);
        Ok(())
    }
}
