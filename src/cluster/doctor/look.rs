//! Reads an installation. What may not be read is told, and the rest is read.

use std::fmt::Debug;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, NamespaceResourceScope};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::seen::{Place, Seen, list, text};
use super::served;
use crate::cluster::safety::World;
use crate::cluster::{anchor, certificates, crd, lease, object, registrations, state};

mod relocation;

const VALIDATING: &str = "validatingwebhookconfigurations";
const MUTATING: &str = "mutatingwebhookconfigurations";

/// Looks at everything.
///
/// # Errors
///
/// The API server does not answer; there is no such namespace.
pub async fn look(client: &Client, place: &Place) -> Result<Seen> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let home = namespaces.get_opt(&place.namespace).await;
    match home {
        Ok(None) => bail!(
            "there is no namespace {}: give the namespace of the installation with --namespace",
            place.namespace
        ),
        // Everything else may be readable.
        Err(kube::Error::Api(status)) if status.code == 403 => {}
        home => drop(home.context("asking the API server")?),
    }
    let mut looker = Looker {
        client: client.clone(),
        place,
        unseen: vec![],
    };
    let mut seen = looker.all().await;
    seen.unseen = looker.unseen;
    Ok(seen)
}

struct Looker<'p> {
    client: Client,
    place: &'p Place,
    unseen: Vec<(String, String)>,
}

/// As checks see it: null for what is not there.
fn value<K: Serialize>(object: Option<K>) -> Value {
    object.map_or(Value::Null, |object| {
        serde_json::to_value(object).unwrap_or_default()
    })
}

impl Looker<'_> {
    /// What was asked for, unless it may not be seen.
    fn take<T>(&mut self, what: &str, answer: kube::Result<T>) -> Option<T> {
        match answer {
            Ok(found) => Some(found),
            Err(error) => {
                let why = match error {
                    kube::Error::Api(status) => status.message.clone(),
                    error => error.to_string(),
                };
                self.unseen.push((what.to_owned(), why));
                None
            }
        }
    }

    async fn get<K>(&mut self, all: Api<K>, what: &str, name: &str) -> Option<Option<K>>
    where
        K: Clone + Debug + DeserializeOwned,
    {
        let found = all.get_opt(name).await;
        self.take(&format!("{what} {name}"), found)
    }

    async fn list<K>(&mut self, all: Api<K>, what: &str, labels: &str) -> Option<Vec<K>>
    where
        K: Clone + Debug + DeserializeOwned,
    {
        let found = all.list(&ListParams::default().labels(labels)).await;
        self.take(what, found.map(|list| list.items))
    }

    async fn values<K>(&mut self, all: Api<K>, what: &str, labels: &str) -> Option<Vec<Value>>
    where
        K: Clone + Debug + Serialize + DeserializeOwned,
    {
        let found = self.list(all, what, labels).await?;
        Some(found.into_iter().map(|one| value(Some(one))).collect())
    }

    /// Those of the installation's namespace.
    fn own<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.place.namespace)
    }

    /// Those of the whole cluster.
    fn whole<K: Resource<DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    async fn all(&mut self) -> Seen {
        let mut seen = Seen {
            place: self.place.clone(),
            now: Timestamp::now(),
            ..Seen::default()
        };
        self.serving(&mut seen).await;
        self.remembered(&mut seen).await;
        self.manifests(&mut seen).await;
        seen.webhooks = [
            self.values(
                self.whole::<ValidatingWebhookConfiguration>(),
                VALIDATING,
                "",
            )
            .await,
            self.values(self.whole::<MutatingWebhookConfiguration>(), MUTATING, "")
                .await,
        ];
        seen.served = served::look(&seen).await;
        seen.policies = self.policies().await;
        seen.world = self.world(seen.pods.as_deref()).await;
        if seen.counts_on_networks() {
            seen.nodes = self.nodes().await;
        }
        seen.relocating = self.relocating(&seen).await;
        seen
    }

    /// The Service, and who is behind it.
    async fn serving(&mut self, seen: &mut Seen) {
        let service = self.place.service.clone();
        let found = self.get(self.own::<Service>(), "service", &service).await;
        let found = found.map(value);
        let selector = found.as_ref().map(selector_of).unwrap_or_default();
        seen.pods = match selector.as_str() {
            // Without a selector nobody knows which pods are meant.
            "" => Some(vec![]),
            selector => self.values(self.own::<Pod>(), "pods", selector).await,
        };
        seen.service = found;
        let of_service = format!("kubernetes.io/service-name={service}");
        let slices = self.own::<EndpointSlice>();
        seen.slices = self.values(slices, "endpointslices", &of_service).await;
        let budgets = self.own::<PodDisruptionBudget>();
        seen.budgets = self.values(budgets, "poddisruptionbudgets", "").await;
    }

    /// What the leader has written.
    async fn remembered(&mut self, seen: &mut Seen) {
        let secrets = self.own::<Secret>();
        seen.secret = self.get(secrets, "secret", certificates::api::NAME).await;
        seen.state = self
            .get(self.own::<ConfigMap>(), "configmap", state::NAME)
            .await;
        let lease = self
            .get(self.own::<Lease>(), "lease", lease::api::NAME)
            .await;
        seen.lease = lease.map(value);
    }

    /// What somebody has applied.
    async fn manifests(&mut self, seen: &mut Seen) {
        let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        let kind = ApiResource::from_gvk(&kind);
        // As it is, without the types of a library in between.
        let definitions: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind);
        let mut all = vec![];
        for wanted in crd::definitions() {
            let (one, name) = (definitions.clone(), text(&wanted, "/metadata/name"));
            let found = self.get(one, "customresourcedefinition", name).await;
            all.push(found.map(value));
        }
        seen.definitions = all.into_iter().collect();
        let name = anchor::name(&self.place.registration);
        let found = self
            .get(self.whole::<ClusterRole>(), "clusterrole", &name)
            .await;
        seen.anchor = found.map(value);
        seen.rights = self.rights(seen.pods.as_deref()).await;
    }

    async fn policies(&mut self) -> Option<Vec<Value>> {
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &object::resource());
        match all.list(&ListParams::default()).await {
            // No such kind, which the definition tells.
            Err(kube::Error::Api(status)) if status.code == 404 => Some(vec![]),
            found => {
                let found = self.take("wasmpolicies", found)?;
                Some(
                    found
                        .items
                        .into_iter()
                        .map(|one| value(Some(one)))
                        .collect(),
                )
            }
        }
    }

    async fn world(&mut self, pods: Option<&[Value]>) -> Option<World> {
        let client = self.client.clone();
        let containers = pods
            .into_iter()
            .flatten()
            .flat_map(|pod| list(pod, "/spec/containers"));
        let images = containers
            .map(|one| text(one, "/image").to_owned())
            .collect();
        Some(World {
            daemon_sets: self
                .list(Api::all(client.clone()), "daemonsets", "")
                .await?,
            services: self.list(Api::all(client.clone()), "services", "").await?,
            namespaces: self.list(Api::all(client), "namespaces", "").await?,
            images,
            uses_cert_manager: false,
        })
    }

    /// A few nodes: those of a cluster are of one kind.
    async fn nodes(&mut self) -> Option<Vec<Value>> {
        let nodes = self
            .whole::<Node>()
            .list(&ListParams::default().limit(5))
            .await;
        let nodes = self.take("nodes", nodes)?;
        Some(
            nodes
                .items
                .into_iter()
                .map(|one| value(Some(one)))
                .collect(),
        )
    }

    /// What is bound to our account: roles and where they hold.
    async fn rights(&mut self, pods: Option<&[Value]>) -> Option<Vec<(Option<String>, Value)>> {
        let account = pods.and_then(|pods| pods.first());
        let account = account.map(|pod| text(pod, "/spec/serviceAccountName"));
        let account = account.unwrap_or(&self.place.registration).to_owned();
        let all = self.whole::<ClusterRoleBinding>();
        let mut bindings = self.values(all, "clusterrolebindings", "").await?;
        let all = self.whole::<RoleBinding>();
        bindings.extend(self.values(all, "rolebindings", "").await?);
        let mut rights = vec![];
        for binding in bindings {
            if binds(&binding, &self.place.namespace, &account) {
                rights.push(self.role(&binding).await?);
            }
        }
        Some(rights)
    }

    /// The role that a binding names, and where it holds.
    async fn role(&mut self, binding: &Value) -> Option<(Option<String>, Value)> {
        let at = binding
            .pointer("/metadata/namespace")
            .and_then(Value::as_str);
        let name = text(binding, "/roleRef/name");
        let role = match (text(binding, "/roleRef/kind"), at) {
            ("Role", Some(at)) => {
                let roles = Api::<Role>::namespaced(self.client.clone(), at);
                self.get(roles, "role", name).await.map(value)
            }
            _ => self
                .get(self.whole::<ClusterRole>(), "clusterrole", name)
                .await
                .map(value),
        };
        Some((at.map(str::to_owned), role?))
    }
}

/// Whether a binding names the account.
fn binds(binding: &Value, namespace: &str, account: &str) -> bool {
    list(binding, "/subjects").iter().any(|subject| {
        subject["kind"] == "ServiceAccount"
            && subject["name"] == account
            && subject["namespace"] == namespace
    })
}

/// The selector of a Service, as lists take it.
fn selector_of(service: &Value) -> String {
    let selector = service.pointer("/spec/selector").and_then(Value::as_object);
    let labels = selector.into_iter().flatten();
    let labels = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    labels.collect::<Vec<_>>().join(",")
}

/// The Service that a registration calls, where nobody named one.
pub async fn service_of(client: &Client, registration: &str) -> Option<String> {
    let all: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let live = value(all.get_opt(registration).await.ok()?);
    let mut entries = registrations::entries(&live).iter();
    let name = entries.find_map(|entry| entry.pointer("/clientConfig/service/name"));
    name.and_then(Value::as_str).map(str::to_owned)
}
