//! Reads an installation. What may not be read is told, and the rest is read.

use std::fmt::Debug;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ListParams};
use kube::core::DynamicObject;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::seen::{Place, Seen, list, text};
use crate::cluster::safety::World;
use crate::cluster::{anchor, certificates, crd, lease, object, registrations, state};

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

    async fn all(&mut self) -> Seen {
        let client = self.client.clone();
        let Place {
            namespace,
            registration,
            service,
        } = self.place.clone();
        let everywhere = || client.clone();
        let service_found = self
            .get(
                Api::<Service>::namespaced(everywhere(), &namespace),
                "service",
                &service,
            )
            .await
            .map(value);
        let selector = service_found.as_ref().map(selector_of).unwrap_or_default();
        // Without a selector nobody knows which pods are meant.
        let pods = match selector.as_str() {
            "" => Some(vec![]),
            selector => {
                self.values(
                    Api::<Pod>::namespaced(everywhere(), &namespace),
                    "pods",
                    selector,
                )
                .await
            }
        };
        let of_service = format!("kubernetes.io/service-name={service}");
        let definition = format!("{}.{}", crd::PLURAL, crd::GROUP);
        let anchor = anchor::name(&registration);
        Seen {
            place: self.place.clone(),
            now: Timestamp::now(),
            unseen: vec![],
            webhooks: [
                self.values(
                    Api::<ValidatingWebhookConfiguration>::all(everywhere()),
                    "validatingwebhookconfigurations",
                    "",
                )
                .await,
                self.values(
                    Api::<MutatingWebhookConfiguration>::all(everywhere()),
                    "mutatingwebhookconfigurations",
                    "",
                )
                .await,
            ],
            rights: self.rights(pods.as_deref()).await,
            world: self.world(pods.as_deref()).await,
            service: service_found,
            slices: self
                .values(
                    Api::<EndpointSlice>::namespaced(everywhere(), &namespace),
                    "endpointslices",
                    &of_service,
                )
                .await,
            secret: self
                .get(
                    Api::<Secret>::namespaced(everywhere(), &namespace),
                    "secret",
                    certificates::api::NAME,
                )
                .await,
            state: self
                .get(
                    Api::<ConfigMap>::namespaced(everywhere(), &namespace),
                    "configmap",
                    state::NAME,
                )
                .await,
            lease: self
                .get(
                    Api::<Lease>::namespaced(everywhere(), &namespace),
                    "lease",
                    lease::api::NAME,
                )
                .await
                .map(value),
            budgets: self
                .values(
                    Api::<PodDisruptionBudget>::namespaced(everywhere(), &namespace),
                    "poddisruptionbudgets",
                    "",
                )
                .await,
            definition: self
                .get(
                    Api::<CustomResourceDefinition>::all(everywhere()),
                    "customresourcedefinition",
                    &definition,
                )
                .await
                .map(value),
            policies: self.policies().await,
            anchor: self
                .get(
                    Api::<ClusterRole>::all(everywhere()),
                    "clusterrole",
                    &anchor,
                )
                .await
                .map(value),
            pods,
        }
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

    /// What is bound to our account: roles and where they hold.
    async fn rights(&mut self, pods: Option<&[Value]>) -> Option<Vec<(Option<String>, Value)>> {
        let client = self.client.clone();
        let account = pods.and_then(|pods| pods.first());
        let account = account.map(|pod| text(pod, "/spec/serviceAccountName"));
        let account = account.unwrap_or(&self.place.registration).to_owned();
        let whole = self
            .values(
                Api::<ClusterRoleBinding>::all(client.clone()),
                "clusterrolebindings",
                "",
            )
            .await?;
        let parts = self
            .values(Api::<RoleBinding>::all(client.clone()), "rolebindings", "")
            .await?;
        let mut rights = vec![];
        for binding in whole
            .iter()
            .chain(&parts)
            .filter(|one| binds(one, &self.place.namespace, &account))
        {
            let at = binding
                .pointer("/metadata/namespace")
                .and_then(Value::as_str);
            let name = text(binding, "/roleRef/name");
            let role = match (text(binding, "/roleRef/kind"), at) {
                ("Role", Some(at)) => {
                    let roles = Api::<Role>::namespaced(client.clone(), at);
                    self.get(roles, "role", name).await.map(value)?
                }
                _ => self
                    .get(Api::<ClusterRole>::all(client.clone()), "clusterrole", name)
                    .await
                    .map(value)?,
            };
            rights.push((at.map(str::to_owned), role));
        }
        Some(rights)
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
