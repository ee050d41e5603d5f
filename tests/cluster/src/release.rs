//! Portcullis installed by its chart: pods are scheduled and run by the kubelet,
//! and a process of ours is started for each container that it asks for, with
//! what it was handed.

mod pods;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};

use crate::balancer::Balancer;
use crate::cluster::Cluster;
use crate::container::Container;
use crate::folder::Folder;
use crate::helm;
use crate::kubectl::{Answer, User};
use pods::Pods;

/// Where it is installed, and what its parts are called.
pub const HOME: &str = "portcullis";
/// For pods to be scheduled and run.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what the kubelet wants.
const PAUSE: Duration = Duration::from_millis(20);

/// A release, and the processes that its pods are.
pub struct Release<'c> {
    cluster: &'c Cluster,
    /// What its Service leads to.
    pub service: Balancer,
    /// The chart that is installed from now on.
    pub chart: PathBuf,
    /// Further arguments of `serve`.
    arguments: Vec<String>,
    pods: Pods<'c>,
}

impl<'c> Release<'c> {
    /// Nothing is installed yet; replicas will get these arguments besides. The
    /// cluster has to be one of [`Cluster::start_with_services`].
    ///
    /// # Errors
    ///
    /// No port is free.
    pub fn new(cluster: &'c Cluster, arguments: &[&str]) -> Result<Release<'c>> {
        Ok(Release {
            cluster,
            service: Balancer::start()?,
            chart: helm::chart(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            pods: Pods::new(cluster, Folder::new(cluster.plane())?),
        })
    }

    /// `helm COMMAND portcullis CHART` with these options, as an
    /// administrator, and with the values that this machine needs. Meanwhile
    /// pods come and go.
    ///
    /// # Errors
    ///
    /// Helm refuses it; a replica does not start or end as it should.
    pub fn helm(&mut self, command: &str, options: &[&str]) -> Result<String> {
        let values = self.values_file()?;
        let chart = self.chart.display().to_string();
        let place = [command, HOME, &chart, "--values", &values];
        self.helm_of(&[&place[..], options].concat())
    }

    /// `helm ARGUMENTS...` in its namespace. Meanwhile pods come and go.
    ///
    /// # Errors
    ///
    /// As [`Release::helm`].
    pub fn helm_of(&mut self, arguments: &[&str]) -> Result<String> {
        let arguments = [arguments, &["--namespace", HOME]].concat();
        self.during(|cluster| cluster.helm(User::Admin, &arguments).and_then(Answer::ok))
    }

    /// The manifests for `kubectl apply`, with the values that this machine
    /// needs and these options of Helm besides.
    ///
    /// # Errors
    ///
    /// Helm refuses them.
    pub fn manifests(&self, options: &[&str]) -> Result<String> {
        let values = self.values_file()?;
        helm::manifests(&[&["--values", &values[..]], options].concat())
    }

    /// Does this; meanwhile pods come and go.
    ///
    /// # Errors
    ///
    /// It fails; a replica does not start or end as it should.
    pub fn during<T: Send>(
        &mut self,
        work: impl FnOnce(&Cluster) -> Result<T> + Send,
    ) -> Result<T> {
        let cluster = self.cluster;
        std::thread::scope(|scope| {
            let working = scope.spawn(|| work(cluster));
            while !working.is_finished() {
                self.pods.step(&self.service)?;
                std::thread::sleep(PAUSE);
            }
            let done = working.join();
            done.map_err(|_| anyhow!("a thread panicked"))?
        })
    }

    /// Where a test may put files, which are gone with this.
    pub fn folder(&self) -> &Path {
        self.pods.folder().path()
    }

    fn values_file(&self) -> Result<String> {
        let values = self.values()?.to_string();
        self.pods.folder().write("values.json", &values)
    }

    /// Pods have no network of their own here: the API server is at another
    /// address, each replica listens where there is room, and reaches the
    /// Service where we play it.
    fn values(&self) -> Result<Value> {
        let setup = self.cluster.setup.as_ref();
        let port = setup.context("it was not started here")?.ports.api_server;
        let place = [
            "--listen=127.0.0.1:0".to_owned(),
            "--metrics-listen=127.0.0.1:0".to_owned(),
            format!("--self-call-address=127.0.0.1:{}", self.service.port()),
        ];
        let arguments = [&place[..], &self.arguments].concat();
        Ok(json!({
            "extraEnv": [
                {"name": "KUBERNETES_SERVICE_HOST", "value": "127.0.0.1"},
                {"name": "KUBERNETES_SERVICE_PORT", "value": port.to_string()},
            ],
            "extraArgs": arguments,
        }))
    }

    /// Runs what the kubelet wants until `count` pods run, and no other is on
    /// its way in or out; the Service leads to them.
    ///
    /// # Errors
    ///
    /// They never do; a replica does not start or end as it should.
    pub fn run(&mut self, count: usize) -> Result<()> {
        let started = Instant::now();
        while !self.pods.are(count) {
            ensure!(
                started.elapsed() < PATIENCE,
                "never {count} pods: {:#}\n{}",
                self.get(&["pods", "-n", HOME])?["items"],
                self.last_words()
            );
            self.pods.step(&self.service)?;
            std::thread::sleep(PAUSE);
        }
        match count {
            0 => Ok(()),
            _ => self.route(),
        }
    }

    /// Kills all replicas at once.
    pub fn kill(&mut self) {
        self.pods.kill();
    }

    /// The cluster IP of the Service leads to the replicas.
    fn route(&self) -> Result<()> {
        let service = self.get(&["service", HOME, "-n", HOME])?;
        let address = service["spec"]["clusterIP"].as_str();
        let address = address.context("a Service with an address")?;
        let services = self.cluster.services.as_ref();
        let services = services.context("a cluster with services")?;
        services.set(format!("{address}:443"), self.service.port());
        Ok(())
    }

    /// What `kubectl get ... -o json` gives to an administrator.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub fn get(&self, arguments: &[&str]) -> Result<Value> {
        let arguments = [&["get", "-o", "json", "--ignore-not-found"], arguments].concat();
        let text = self.cluster.kubectl(User::Admin, &arguments, "")?.ok()?;
        match text.trim() {
            "" => Ok(Value::Null),
            text => Ok(serde_json::from_str(text)?),
        }
    }

    /// What the kubelet asked for, of the replicas that run.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        self.pods.running()
    }

    /// What the replicas have logged last, for messages of failures.
    pub fn last_words(&self) -> String {
        self.pods.last_words()
    }

    /// Fails if a replica has ended that should not have.
    ///
    /// # Errors
    ///
    /// Which, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        self.pods.step(&self.service)
    }
}
