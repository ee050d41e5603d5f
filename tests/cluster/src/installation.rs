//! Portcullis as it looks after a cluster: `serve --cluster`, several replicas,
//! a Service, an account with the rights of the chart.

mod objects;
mod relocation;
mod replicas;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::balancer::Balancer;
use crate::cluster::Cluster;
use crate::folder::Folder;
use crate::kubeconfig;
use crate::kubectl::{Answer, User};
use crate::namespace::Namespace;
use crate::portcullis::output;
use crate::process::Process;
use crate::proxy::Proxy;
pub use objects::{edit, failure_policies};
pub use relocation::Serving;
use replicas::Replica;

/// The kinds of webhook configurations, as kubectl takes them.
const KINDS: [&str; 2] = [
    "validatingwebhookconfiguration",
    "mutatingwebhookconfiguration",
];

/// An installation: gone with its registration when it is dropped.
pub struct Installation<'c> {
    /// Where its objects are.
    pub home: Namespace<'c>,
    /// Its Service.
    pub service: Balancer,
    name: String,
    folder: Folder,
    /// Through a proxy, if there is one.
    kubeconfig: Option<PathBuf>,
    replicas: Vec<Replica>,
}

impl<'c> Installation<'c> {
    /// A namespace, a Service and an account; no replica yet.
    ///
    /// # Errors
    ///
    /// The API server refuses any of it.
    pub fn new(cluster: &'c Cluster) -> Result<Installation<'c>> {
        let installation = Installation {
            home: cluster.namespace()?,
            service: Balancer::start()?,
            name: crate::unique(),
            folder: Folder::new(cluster.plane())?,
            kubeconfig: None,
            replicas: vec![],
        };
        let service = [
            "create",
            "service",
            "externalname",
            "portcullis",
            "--external-name=localhost",
        ];
        installation.admin(&service, "")?;
        installation.apply()?;
        Ok(installation)
    }

    /// Applies [`Installation::manifests`]. Replicas that are started from now
    /// on have a token of the account as it is now.
    ///
    /// # Errors
    ///
    /// The API server refuses any of it.
    pub fn apply(&self) -> Result<()> {
        let cluster = self.home.cluster;
        // Its objects are of several namespaces, and name them.
        let apply = ["apply", "-f", "-"];
        cluster
            .kubectl(User::Admin, &apply, &self.manifests()?)?
            .ok()?;
        let token = ["create", "token", &self.name, "--duration=24h"];
        let token = self.admin(&token, "")?;
        let admin = std::fs::read_to_string(cluster.kubeconfig(User::Admin))?;
        kubeconfig::with_token(&self.folder, &admin, token.trim())
    }

    /// The rights of `deploy/install.yaml`, for this namespace and name.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn manifests(&self) -> Result<String> {
        let install = std::fs::read_to_string(crate::root().join("deploy/install.yaml"))?;
        let name = &self.name;
        let is_right = |document: &&str| {
            document.contains("kind: ServiceAccount\n")
                || document.contains("apiVersion: rbac.authorization.k8s.io/v1\n")
        };
        let documents = install.split("\n---\n").filter(is_right);
        let rbac = documents.collect::<Vec<_>>().join("\n---\n");
        Ok(format!("{rbac}\n")
            .replace(
                "namespace: portcullis\n",
                &format!("namespace: {}\n", self.home.name()),
            )
            .replace("name: portcullis\n", &format!("name: {name}\n"))
            .replace("[portcullis]", &format!("[{name}]"))
            .replace("portcullis-installation", &self.anchor())
            .replace(
                "name: portcullis-exemptions",
                &format!("name: {name}-exemptions"),
            ))
    }

    fn admin(&self, arguments: &[&str], stdin: &str) -> Result<String> {
        self.home
            .kubectl(User::Admin, arguments, stdin)
            .and_then(Answer::ok)
    }

    /// The name of its configurations.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the ClusterRole that all of it hangs on.
    pub fn anchor(&self) -> String {
        format!("{}-installation", self.name)
    }

    /// The name by which the API server calls.
    pub fn host(&self) -> String {
        format!("portcullis.{}.svc", self.home.name())
    }

    /// Its kubeconfig.
    fn kubeconfig(&self) -> String {
        let direct = || self.folder.file("account.kubeconfig");
        let through = self.kubeconfig.as_ref();
        through.map_or_else(direct, |path| path.display().to_string())
    }

    /// Replicas that are started from now on reach the API server through
    /// this proxy.
    ///
    /// # Errors
    ///
    /// The API server gives no token for the account.
    pub fn through(&mut self, proxy: &Proxy<'_>) -> Result<()> {
        self.kubeconfig = Some(proxy.kubeconfig(self.home.name(), &self.name)?);
        Ok(())
    }

    /// Its account, as the API server names it.
    pub fn account_name(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.home.name(), self.name)
    }

    /// Runs `portcullis COMMAND` for this installation, as an administrator.
    ///
    /// # Errors
    ///
    /// It fails.
    pub fn command(&self, command: &str) -> Result<String> {
        let config = self
            .home
            .cluster
            .kubeconfig(User::Admin)
            .display()
            .to_string();
        output(&[
            command,
            "--kubeconfig",
            &config,
            "--namespace",
            self.home.name(),
            "--registration",
            &self.name,
        ])
    }

    /// A certificate for its Service that somebody else made: `ca.crt`,
    /// `tls.crt`, `tls.key` in the folder that is given.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn foreign_certificates(&self) -> Result<PathBuf> {
        let folder = self.folder.file("certs");
        output(&["certs", &folder, "--name", &self.host(), "--force"])?;
        Ok(folder.into())
    }

    /// Asks again until something holds, for at most `most`; gives how long it
    /// took until the look that saw it began.
    ///
    /// # Errors
    ///
    /// It never holds: with the end of the logs.
    pub fn eventually(
        &self,
        what: &str,
        most: Duration,
        mut holds: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<Duration> {
        let started = Instant::now();
        loop {
            // A look takes its time, which is not what is measured.
            let took = started.elapsed();
            if holds(self)? {
                return Ok(took);
            }
            ensure!(
                took < most,
                "after {} s not yet: {what}\nstate: {:#}\n{}",
                most.as_secs(),
                self.state()?,
                self.replicas
                    .iter()
                    .flat_map(|replica| &replica.process)
                    .map(Process::last_words)
                    .collect::<String>()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Installation<'_> {
    fn drop(&mut self) {
        self.replicas.clear();
        let kinds = format!("{},{},clusterrole,clusterrolebinding", KINDS[0], KINDS[1]);
        let ignore = "--ignore-not-found";
        let delete = ["delete", &kinds, &self.name, ignore];
        let of_exemptions = ["view", "edit"].map(|verb| format!("{}-exemptions-{verb}", self.name));
        let [view, edit] = &of_exemptions;
        let anchor = ["delete", "clusterrole", &self.anchor(), view, edit, ignore];
        let kinds = "role,rolebinding";
        let events = ["delete", kinds, &self.name, "-n", "default", ignore];
        for delete in [&delete[..], &anchor, &events] {
            if let Err(error) = self.admin(delete, "") {
                eprintln!("installation {} is still there: {error:#}", self.name);
            }
        }
    }
}
