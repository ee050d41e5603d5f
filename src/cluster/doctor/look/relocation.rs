//! Reads what relocation needs.

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, DynamicObject, ListParams};
use portcullis_relocation::marks;
use serde_json::Value;

use super::{Looker, value};
use crate::cluster::doctor::relocation::{GUARDS, Relocating};
use crate::cluster::doctor::seen::Seen;
use crate::cluster::relocation::resource;

/// The pods of `portcullis relocate` (deploy/chart).
const PODS: &str = "app.kubernetes.io/name=portcullis,app.kubernetes.io/component=relocation";

impl Looker<'_> {
    /// Where something is moved, or is to be.
    pub(super) async fn relocating(&mut self, seen: &Seen) -> Option<Relocating> {
        let relocations = match seen.relocates() {
            true => self.relocations().await,
            // Something may be left of which nobody asks us any more.
            false => Some(self.left().await?),
        };
        let enrolled: Vec<String> = seen.enrolled().map(str::to_owned).collect();
        let mut bindings = BTreeMap::new();
        let mut maps = Some(vec![]);
        for namespace in enrolled {
            let what = format!("rolebindings of {namespace}");
            let all: Api<RoleBinding> = Api::namespaced(self.client.clone(), &namespace);
            bindings.insert(namespace.clone(), self.values(all, &what, "").await);
            let what = format!("configmaps of {namespace}");
            let all: Api<ConfigMap> = Api::namespaced(self.client.clone(), &namespace);
            let found = self.values(all, &what, marks::MOVED).await;
            maps = maps.zip(found).map(|(mut maps, found)| {
                maps.extend(found);
                maps
            });
        }
        let mut guards = vec![];
        for name in GUARDS {
            guards.push((name, self.guard(name).await));
        }
        Some(Relocating {
            relocations,
            config_maps: maps,
            bindings,
            guards,
            pods: self.values(self.own::<Pod>(), "pods", PODS).await,
        })
    }

    async fn guard(&mut self, name: &str) -> Option<[Value; 2]> {
        let policies = self.whole::<ValidatingAdmissionPolicy>();
        let policy = self.get(policies, "validatingadmissionpolicy", name).await;
        let bindings = self.whole::<ValidatingAdmissionPolicyBinding>();
        let what = "validatingadmissionpolicybinding";
        let binding = self.get(bindings, what, name).await;
        Some([value(policy?), value(binding?)])
    }

    /// Relocations where nothing is moved, as it seems; None if there are none, or
    /// who asks may not list them.
    async fn left(&self) -> Option<Vec<Value>> {
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource::resource());
        let found = all.list(&ListParams::default()).await.ok()?;
        let found: Vec<Value> = found.into_iter().map(|one| value(Some(one))).collect();
        (!found.is_empty()).then_some(found)
    }

    async fn relocations(&mut self) -> Option<Vec<Value>> {
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource::resource());
        let found = match all.list(&ListParams::default()).await {
            // No such kind, which the definition tells.
            Err(kube::Error::Api(status)) if status.code == 404 => return Some(vec![]),
            found => self.take("relocations", found)?,
        };
        Some(found.into_iter().map(|one| value(Some(one))).collect())
    }
}
