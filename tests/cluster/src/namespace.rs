//! A namespace of one test's own.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use crate::cluster::Cluster;
use crate::kubectl::{self, Answer, DEV_GROUP, Program, User};

/// A namespace in which [`User::Dev`] may edit, deleted when it is dropped.
pub struct Namespace<'c> {
    /// Where it is.
    pub cluster: &'c Cluster,
    name: String,
}

impl Cluster {
    /// A new namespace whose name nobody else uses.
    ///
    /// # Errors
    ///
    /// The API server refuses it, or its controllers do not see to it.
    pub fn namespace(&self) -> Result<Namespace<'_>> {
        self.namespace_named(&crate::unique())
    }

    /// A new namespace of this name.
    ///
    /// # Errors
    ///
    /// As [`Cluster::namespace`]; also if it is there already.
    pub fn namespace_named(&self, name: &str) -> Result<Namespace<'_>> {
        let admin = |arguments: &[&str], stdin: &str| {
            self.kubectl(User::Admin, arguments, stdin)
                .and_then(Answer::ok)
        };
        admin(&["create", "namespace", name], "")?;
        // From here on it is deleted whatever happens.
        let namespace = Namespace {
            cluster: self,
            name: name.to_owned(),
        };
        admin(&["create", "-f", "-"], &binding(name))?;
        // Pods are refused until a controller has made it.
        let account = [
            "wait",
            "--for=create",
            "serviceaccount/default",
            "--timeout=60s",
        ];
        admin(&[&account[..], &["-n", name]].concat(), "")?;
        Ok(namespace)
    }
}

/// Lets the developers edit in a namespace.
fn binding(namespace: &str) -> String {
    let group = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "developers", "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": DEV_GROUP}],
    })
    .to_string()
}

impl Namespace<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs kubectl in this namespace, with the root of the project as
    /// working directory.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn kubectl(&self, user: User, arguments: &[&str], stdin: &str) -> Result<Answer> {
        self.kubectl_in(crate::root(), user, arguments, stdin)
    }

    /// [`Namespace::kubectl`], with another working directory.
    ///
    /// # Errors
    ///
    /// As [`Namespace::kubectl`].
    pub fn kubectl_in(
        &self,
        directory: &Path,
        user: User,
        arguments: &[&str],
        stdin: &str,
    ) -> Result<Answer> {
        let arguments = [&["--namespace", &self.name], arguments].concat();
        let config = self.cluster.kubeconfig(user);
        kubectl::run(self.cluster.plane(), &config, directory, &arguments, stdin)
    }

    /// [`Namespace::kubectl`], with a kubectl of another age.
    ///
    /// # Errors
    ///
    /// As [`Namespace::kubectl`].
    pub fn run(
        &self,
        program: &Program,
        user: User,
        arguments: &[&str],
        stdin: &str,
    ) -> Result<Answer> {
        let arguments = [&["--namespace", &self.name], arguments].concat();
        let config = self.cluster.kubeconfig(user);
        program.run(&config, crate::root(), &arguments, stdin)
    }

    /// Asks again until an answer is as wanted, for at most `most`; gives it.
    ///
    /// # Errors
    ///
    /// The last answer, if none was.
    pub fn eventually(
        &self,
        user: User,
        arguments: &[&str],
        most: Duration,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Result<Answer> {
        let started = Instant::now();
        loop {
            let began = started.elapsed();
            let answer = self.kubectl(user, arguments, "")?;
            if wanted(&answer) {
                return Ok(answer);
            }
            ensure!(began < most, "after {} s still: {answer:?}", most.as_secs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        let delete = [
            "delete",
            "namespace",
            &self.name,
            "--wait=false",
            "--ignore-not-found",
        ];
        let deleted = self.cluster.kubectl(User::Admin, &delete, "");
        if let Err(error) = deleted.and_then(Answer::ok) {
            eprintln!("namespace {} is still there: {error:#}", self.name);
        }
    }
}
