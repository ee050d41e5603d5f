//! A registration that does not outlive its test.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::cluster::Cluster;
use crate::kubectl::{Answer, User};
use crate::namespace::Namespace;
use crate::neighbours;
use crate::portcullis::Portcullis;

/// Seen: 5 to 19 ms (design: api-server.md, section 1). Several API servers
/// behind one address take longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Webhook configurations, deleted when this is dropped.
pub struct Registration<'c> {
    cluster: &'c Cluster,
    name: String,
}

impl<'c> Registration<'c> {
    /// Applies configurations that are all named `name`.
    pub(crate) fn apply(
        cluster: &'c Cluster,
        name: String,
        configurations: &str,
    ) -> Result<Registration<'c>> {
        for object in portcullis_manifest::read(configurations.as_bytes()).objects {
            neighbours::check(cluster, &object.value)?;
        }
        // From here on they are deleted whatever happens.
        let registration = Registration { cluster, name };
        cluster
            .kubectl(User::Admin, &["apply", "-f", "-"], configurations)
            .and_then(Answer::ok)
            .context("the registration")?;
        Ok(registration)
    }

    /// The name of its configurations.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until the API server asks Portcullis about pods of a namespace.
    ///
    /// # Errors
    ///
    /// It never does.
    pub fn wait(&self, portcullis: &Portcullis, namespace: &Namespace<'_>) -> Result<()> {
        let probe = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"},
            "spec": {"containers": [{"name": "a", "image": "registry.example/a:1.2.3"}]}});
        let create = ["create", "--dry-run=server", "-f", "-"];
        let (before, started) = (portcullis.requests()?, Instant::now());
        loop {
            let answer = namespace.kubectl(User::Admin, &create, &probe.to_string())?;
            if portcullis.requests()? > before {
                return Ok(());
            }
            ensure!(
                started.elapsed() < PATIENCE,
                "the API server does not call {}: {}",
                portcullis.url(),
                answer.stderr.trim()
            );
        }
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let kinds = "validatingwebhookconfiguration,mutatingwebhookconfiguration";
        let delete = ["delete", kinds, &self.name, "--ignore-not-found"];
        let deleted = self.cluster.kubectl(User::Admin, &delete, "");
        if let Err(error) = deleted.and_then(Answer::ok) {
            eprintln!(
                "webhook configuration {} is still there: {error:#}",
                self.name
            );
        }
    }
}
