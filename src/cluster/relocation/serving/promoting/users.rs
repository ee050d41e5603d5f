//! The pods that use a ConfigMap.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use portcullis_relocation::names::{Half, serving};
use portcullis_relocation::pod;

use super::One;
use crate::cluster::relocation::reading::told;

/// Pods that are read at once.
const PAGE: u32 = 500;

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
        let client = self.serving.client.clone();
        let pods: Api<Pod> = Api::namespaced(client, self.target.namespace);
        let mut parameters = ListParams::default().limit(PAGE);
        let mut users = Users::default();
        loop {
            let page = pods.list(&parameters).await.map_err(told("pods"))?;
            for one in page.items {
                users.add(self.target.name, one)?;
            }
            match page.metadata.continue_.filter(|next| !next.is_empty()) {
                Some(next) => parameters = parameters.continue_token(&next),
                None => return Ok(users),
            }
        }
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
