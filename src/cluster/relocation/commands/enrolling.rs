//! `portcullis secrets enrol`.

mod names;

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::cluster::home::MANAGER;
use crate::cluster::relocation::known::is_left_alone;
use crate::cluster::relocation::resource::{self, Spec, Stage};
use crate::cluster::relocation::{LABEL, MOVE};
use crate::registration::yaml;

/// The role of the webhook's account in enrolled namespaces (deploy/chart).
pub const ADMISSION: &str = "portcullis-relocation-admission";
/// The role of the account that serves what was moved.
pub const SERVING: &str = "portcullis-relocation-serving";

/// What is to be enrolled, and for whom.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The namespace.
    pub namespace: String,
    /// That of the installation.
    pub installation: String,
    /// The account of the webhook there.
    pub account: String,
}

impl Enrolment {
    /// The rights in the namespace, and its label: what `--dry-run` prints.
    pub fn documents(&self) -> Vec<Value> {
        let binding = |role: &str, account: &str| {
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": role, "namespace": self.namespace,
                    "labels": {"app.kubernetes.io/managed-by": MANAGER}},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                    "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": account,
                    "namespace": self.installation}],
            })
        };
        vec![
            binding(ADMISSION, &self.account),
            binding(SERVING, "portcullis-relocation"),
            json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": self.namespace, "labels": {LABEL: MOVE}}}),
        ]
    }

    /// The same as YAML, to be applied with kubectl.
    pub fn yaml(&self) -> String {
        let namespace = &self.namespace;
        format!(
            "# `portcullis secrets enrol {namespace}` besides has ConfigMaps that are there begin at stage\n\
             # Audit, and refuses names that are kept for Portcullis. Applied by itself, this lets\n\
             # their secrets be moved with their next write.\n{}",
            yaml::documents(&self.documents())
        )
    }
}

/// Enrols a namespace, and says what became of it. What is there stays: each
/// ConfigMap starts at `Audit`.
///
/// # Errors
///
/// What the API server says: the rights of who runs it may not do. Somebody else
/// has used a name that is kept for Portcullis.
pub async fn enrol(client: &Client, enrolment: &Enrolment) -> Result<String> {
    let namespace = &enrolment.namespace;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces
        .get_opt(namespace)
        .await
        .context("the namespace")?;
    let Some(found) = found else {
        bail!("there is no namespace `{namespace}`");
    };
    let was_enrolled = found.labels().get(LABEL).is_some_and(|value| value == MOVE);
    if !was_enrolled {
        names::check(client, namespace).await?;
    }
    let [admission, serving, label] = enrolment.documents().try_into().unwrap_or_default();
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), namespace);
    let parameters = PatchParams::apply(MANAGER).force();
    for binding in [admission, serving] {
        let name = binding["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let patch = Patch::Apply(&binding);
        let applied = bindings.patch(&name, &parameters, &patch).await;
        applied.with_context(|| format!("RoleBinding {namespace}/{name}"))?;
    }
    // Before the label: nothing that is there may be moved by surprise.
    let audited = match was_enrolled {
        true => 0,
        false => audit(client, namespace).await?,
    };
    let labels = json!({"metadata": {"labels": label["metadata"]["labels"]}});
    let (parameters, patch) = (PatchParams::default(), Patch::Merge(labels));
    let labelled = namespaces.patch(namespace, &parameters, &patch).await;
    labelled.context("the label of the namespace")?;
    let mut said = format!("namespace {namespace} is enrolled: secrets leave new ConfigMaps\n");
    if audited > 0 {
        let _ = writeln!(
            said,
            "{audited} ConfigMaps that are there stay as they are (`portcullis secrets status \
             {namespace}`): prepare and redact them one by one"
        );
    }
    Ok(said)
}

/// Has each ConfigMap that is there, and that nobody has put anywhere, start at
/// `Audit`; how many.
async fn audit(client: &Client, namespace: &str) -> Result<usize> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let maps = maps.list_metadata(&ListParams::default()).await;
    let known = resource::within(client, namespace);
    let mut count = 0;
    for map in maps.context("the ConfigMaps of the namespace")? {
        let name = map.name_any();
        if is_left_alone(&name) || is_owned(&map) {
            continue;
        }
        if known.get_opt(&name).await.context("Relocations")?.is_none() {
            let spec = Spec {
                stage: Stage::Audit,
                ..Spec::default()
            };
            super::put(client, namespace, &name, &spec).await?;
            count += 1;
        }
    }
    Ok(count)
}

fn is_owned(map: &PartialObjectMeta<ConfigMap>) -> bool {
    !map.owner_references().is_empty()
}
