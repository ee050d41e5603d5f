//! What the API server calls in a namespace, asked of it live: namespaces are
//! rarely enrolled, and what was registered a moment ago counts.

use std::time::{Duration, Instant};

use kube::Client;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::cluster::audit::lists::{Lists, Problem, escaped};
use crate::cluster::audit::walk;
use crate::network::callers::{self, Caller, CutOff, KINDS};
use crate::policy::effect::hanging::Closing;

/// Requests a second; the lists are few.
const PACE: u32 = 100;
/// How long conversions count as they were: to read all definitions for each
/// namespace that is created would cost more than the namespace.
const LOOK: Duration = Duration::from_secs(30);
/// Those are long: they hold schemas.
const DEFINITIONS: &str = "customresourcedefinitions";

/// Looks at what the API server calls.
pub struct Callers {
    client: Client,
    /// Conversions, and when they were looked at.
    conversions: Mutex<Option<(Instant, Vec<Caller>)>>,
}

impl Callers {
    /// On the API server of this client.
    pub fn new(client: Client) -> Callers {
        Callers {
            client,
            conversions: Mutex::default(),
        }
    }

    /// What this NetworkPolicy would keep the API server from, in words, at the
    /// latest at `until`.
    ///
    /// # Errors
    ///
    /// Why nobody knows, one line.
    pub async fn closed_by(
        &self,
        closing: &Closing,
        until: Instant,
    ) -> Result<Vec<String>, String> {
        let looked = self.look(&closing.namespace, &closing.by["spec"]);
        match tokio::time::timeout_at(until.into(), looked).await {
            Ok(Ok(cut_off)) => Ok(cut_off.iter().map(CutOff::to_string).collect()),
            Ok(Err(problem)) => Err(problem),
            Err(_) => Err("the API server took too long".to_owned()),
        }
    }

    async fn look(&self, namespace: &str, spec: &Value) -> Result<Vec<CutOff>, String> {
        let mut lists = Lists::new(self.client.clone(), PACE, None);
        let callers = self.of(&mut lists, namespace).await?;
        if callers.is_empty() {
            return Ok(vec![]);
        }
        let services = within(&mut lists, namespace, "services").await?;
        let pods = within(&mut lists, namespace, "pods").await?;
        Ok(callers::cut_off(spec, callers, &services, &pods))
    }

    /// All that the API server calls in a namespace.
    ///
    /// # Errors
    ///
    /// What cannot be listed, and why.
    pub async fn of(&self, lists: &mut Lists, namespace: &str) -> Result<Vec<Caller>, String> {
        let mut found = self.conversions(lists).await?;
        for (api_version, plural) in KINDS {
            if plural != DEFINITIONS {
                found.extend(listed(lists, api_version, plural).await?);
            }
        }
        found.retain(|caller| caller.namespace == namespace);
        // What is learnt twice is the same.
        found.sort_by(|one, other| one.title.cmp(&other.title));
        found.dedup();
        Ok(found)
    }

    /// One after the other: what one has looked at is there for the next.
    async fn conversions(&self, lists: &mut Lists) -> Result<Vec<Caller>, String> {
        let mut known = self.conversions.lock().await;
        if let Some((at, conversions)) = &*known
            && at.elapsed() < LOOK
        {
            return Ok(conversions.clone());
        }
        let conversions = listed(lists, "apiextensions.k8s.io/v1", DEFINITIONS).await?;
        *known = Some((Instant::now(), conversions.clone()));
        Ok(conversions)
    }
}

async fn listed(lists: &mut Lists, api_version: &str, plural: &str) -> Result<Vec<Caller>, String> {
    let path = format!("/apis/{api_version}/{plural}");
    let mut found = Vec::new();
    let mut take = |object: Value| found.extend(callers::of(plural, &object));
    each(lists, &path, plural, &mut take).await?;
    Ok(found)
}

/// The objects of a kind of the core group in a namespace.
///
/// # Errors
///
/// Why they cannot be listed.
pub async fn within(
    lists: &mut Lists,
    namespace: &str,
    plural: &str,
) -> Result<Vec<Value>, String> {
    let path = format!("/api/v1/namespaces/{}/{plural}", escaped(namespace));
    let mut all = Vec::new();
    each(lists, &path, plural, &mut |object| all.push(object)).await?;
    Ok(all)
}

/// Gives all objects at a path to `take`; none where the kind is not served.
///
/// # Errors
///
/// Why they cannot be listed.
pub async fn each(
    lists: &mut Lists,
    path: &str,
    plural: &str,
    take: &mut (dyn FnMut(Value) + Send),
) -> Result<(), String> {
    match walk::each(lists, path, take).await {
        Ok(()) | Err(Problem::NotFound) => Ok(()),
        Err(Problem::Forbidden(said)) => {
            Err(format!("grant the right to list `{plural}` ({said})"))
        }
        Err(problem) => Err(format!("`{plural}` could not be listed: {problem}")),
    }
}
