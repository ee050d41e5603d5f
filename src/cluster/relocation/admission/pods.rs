//! Pods: they read what was moved where it is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::{try_join, try_join_all};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject};
use portcullis_contract::Operation;
use portcullis_relocation::moments::Moment;
use portcullis_relocation::pod::{
    Known, Maps, bypassed, check_names, config_maps, rewrite, unrewritten,
};
use serde_json::Value;

use super::{Moving, nothing};
use crate::cluster::relocation::known::{is_left_alone, known};
use crate::cluster::relocation::resource;
use crate::cluster::told::one_line;
use crate::failpoint::reached;
use crate::policy::patch::diff;
use crate::review::Request;
use crate::server::Half;
use crate::webhook::surroundings::Relocated;

/// The kubelet's own pods: the API server's copy decides nothing.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// How long a pod waits for what was just moved to be served, and how often it
/// looks.
const PATIENCE: Duration = Duration::from_millis(2_500);
const LOOK: Duration = Duration::from_millis(100);

/// ConfigMaps of one pod, and how many are looked at together: each takes two reads
/// on connections of their own.
const MOST: usize = 256;
const TOGETHER: usize = 16;

/// A ConfigMap that a pod uses, and how far what was moved out of it is.
struct Seen {
    name: String,
    known: Known,
    is_served: bool,
}

impl Moving {
    pub(super) async fn pod(
        &self,
        request: &Request,
        half: Half,
        until: Instant,
    ) -> Result<Relocated, String> {
        let object = |member: &str| request.admission.get(member).filter(|one| one.is_object());
        let (Some(pod), old) = (object("object"), object("oldObject")) else {
            return Ok(nothing());
        };
        if !pod["metadata"]["annotations"][MIRROR].is_null() {
            return Ok(nothing());
        }
        reached(match half {
            Half::Move => Moment::PodAsked,
            Half::Check => Moment::PodCheckAsked,
        });
        let namespace = request.attributes.namespace.as_deref().unwrap_or_default();
        let mut names = used(pod);
        names.extend(old.map(used).unwrap_or_default());
        if names.len() > MOST {
            let why = format!(
                "it uses {} ConfigMaps; where secrets are moved out of them a pod may use {MOST}",
                names.len()
            );
            return Ok(self.denied("pod-refused", why));
        }
        let is_new = request.attributes.operation == Operation::Create;
        let waits = half == Half::Check && is_new && !request.attributes.dry_run;
        let seen = match waits {
            true => self.served(namespace, &names, until).await?,
            false => self.seen(namespace, &names).await?,
        };
        if let Some(late) = seen.iter().find(|one| waits && !one.is_served) {
            let why = format!(
                "what was moved out of ConfigMap {} is not served yet (`kubectl get relocation {0} \
                 --namespace {namespace}` says why); to try again is safe",
                late.name
            );
            return Ok(self.denied("not-served", why));
        }
        let maps: Maps = seen.into_iter().map(|one| (one.name, one.known)).collect();
        Ok(match half {
            Half::Check => match checked(pod, old, is_new, &maps) {
                Ok(()) => nothing(),
                Err(why) => self.denied("pod-refused", why),
            },
            Half::Move => match rewrite(pod, old, &maps) {
                Err(refusal) => self.denied("pod-refused", refusal.to_string()),
                Ok(rewritten) => Relocated::Allowed {
                    patch: diff(pod, &rewritten),
                    warnings: Vec::new(),
                },
            },
        })
    }

    /// The same once all of them are served, or after a while.
    async fn served(
        &self,
        namespace: &str,
        names: &BTreeSet<String>,
        until: Instant,
    ) -> Result<Vec<Seen>, String> {
        let until = until.min(Instant::now() + PATIENCE);
        loop {
            let seen = self.seen(namespace, names).await?;
            if seen.iter().all(|one| one.is_served) || Instant::now() + LOOK > until {
                return Ok(seen);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn seen(&self, namespace: &str, names: &BTreeSet<String>) -> Result<Vec<Seen>, String> {
        let names: Vec<&String> = names.iter().collect();
        let mut seen = Vec::with_capacity(names.len());
        for some in names.chunks(TOGETHER) {
            let looks = some.iter().map(|name| self.look(namespace, name));
            seen.extend(try_join_all(looks).await?);
        }
        Ok(seen)
    }

    async fn look(&self, namespace: &str, name: &str) -> Result<Seen, String> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let map = async {
            let told = |error| format!("ConfigMap {namespace}/{name}: {}", one_line(&error));
            maps.get_opt(name).await.map_err(told)
        };
        // At once: if one of them is older than the other, their states differ, and
        // the pod waits.
        let (found, relocation) = try_join(map, self.relocation(namespace, name)).await?;
        let found = found.map(serde_json::to_value).transpose();
        let found = found.map_err(|_| format!("ConfigMap {namespace}/{name} cannot be read"))?;
        let status = relocation.as_ref().map(resource::status);
        let (known, is_served) = known(found.as_ref(), &status.unwrap_or_default());
        Ok(Seen {
            name: name.to_owned(),
            known,
            is_served,
        })
    }

    /// The Relocation of a ConfigMap, if there is one.
    pub(super) async fn relocation(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<DynamicObject>, String> {
        let all = resource::within(&self.client, namespace);
        all.get_opt(name)
            .await
            .map_err(|error| format!("Relocation {namespace}/{name}: {}", one_line(&error)))
    }
}

/// The ConfigMaps that a pod uses, but those that nothing is moved out of.
fn used(pod: &Value) -> BTreeSet<String> {
    let names = config_maps(pod).into_keys();
    names.filter(|name| !is_left_alone(name)).collect()
}

/// Why the pod is refused, one line.
fn checked(pod: &Value, old: Option<&Value>, is_new: bool, maps: &Maps) -> Result<(), String> {
    check_names(pod, old, maps).map_err(|refusal| refusal.to_string())?;
    let again = "and Portcullis was not asked or its change was undone; to try again is safe";
    if let Some(plain) = unrewritten(pod, old, maps).first() {
        return Err(format!("{plain}, which were moved into a Secret, {again}"));
    }
    // Between two replicas of which one is gone the other one alone may be asked:
    // what moves next would reach such a pod as a placeholder.
    let bypassed = match is_new {
        true => bypassed(pod, maps).map_err(|refusal| refusal.to_string())?,
        false => BTreeSet::new(),
    };
    match bypassed.first() {
        None => Ok(()),
        Some(map) => Err(format!(
            "it uses ConfigMap {map:?}, whose secrets are moved in this namespace, {again}"
        )),
    }
}
