//! Portcullis installed by its chart: pods are scheduled and run by the kubelet,
//! and a process of ours is started for each container that it asks for, with
//! what it was handed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::balancer::Balancer;
use crate::cluster::Cluster;
use crate::container::{self, Container};
use crate::folder::Folder;
use crate::helm;
use crate::kubectl::{Answer, User};
use crate::portcullis::Started;
use crate::process::Process;

/// Where it is installed, and what its parts are called.
pub const HOME: &str = "portcullis";
/// For pods to be scheduled and run.
const PATIENCE: Duration = Duration::from_secs(60);

/// A release, and the processes that its pods are.
pub struct Release<'c> {
    cluster: &'c Cluster,
    /// What its Service leads to.
    pub service: Balancer,
    folder: Folder,
    running: Vec<Running>,
}

struct Running {
    container: Container,
    process: Vec<Process>,
    https: SocketAddr,
}

impl<'c> Release<'c> {
    /// Nothing is installed yet. The cluster has to be one of
    /// [`Cluster::start_with_services`].
    ///
    /// # Errors
    ///
    /// No port is free.
    pub fn new(cluster: &'c Cluster) -> Result<Release<'c>> {
        Ok(Release {
            cluster,
            service: Balancer::start()?,
            folder: Folder::new(cluster.plane())?,
            running: vec![],
        })
    }

    /// `helm COMMAND portcullis deploy/chart` with these options, as an
    /// administrator, and with the values that this machine needs.
    ///
    /// # Errors
    ///
    /// Helm refuses it.
    pub fn helm(&self, command: &[&str], options: &[&str]) -> Result<String> {
        let values = self
            .folder
            .write("values.json", &self.values()?.to_string())?;
        let chart = helm::chart().display().to_string();
        let place = [HOME, &chart, "--namespace", HOME, "--values", &values];
        let arguments = [command, &place, options].concat();
        self.cluster
            .helm(User::Admin, &arguments)
            .and_then(Answer::ok)
    }

    /// Pods have no network of their own here: the API server is at another
    /// address, each replica listens where there is room, and reaches the
    /// Service where we play it.
    fn values(&self) -> Result<Value> {
        let setup = self.cluster.setup.as_ref();
        let port = setup.context("it was not started here")?.ports.api_server;
        Ok(json!({
            "extraEnv": [
                {"name": "KUBERNETES_SERVICE_HOST", "value": "127.0.0.1"},
                {"name": "KUBERNETES_SERVICE_PORT", "value": port.to_string()},
            ],
            "extraArgs": [
                "--listen=127.0.0.1:0",
                "--metrics-listen=127.0.0.1:0",
                format!("--self-call-address=127.0.0.1:{}", self.service.port()),
                "--drain-delay=0s",
            ],
        }))
    }

    /// Waits until the kubelet runs `count` pods, and runs each of them: those
    /// that run already go on, and those whose pods are gone end.
    ///
    /// # Errors
    ///
    /// It never does; a replica does not start.
    pub fn run(&mut self, count: usize) -> Result<()> {
        let containers = self.wanted(count)?;
        let is_wanted = |uid: &str| containers.iter().any(|(one, _)| one.uid == uid);
        self.running.retain(|one| is_wanted(&one.container.uid));
        for (container, user) in containers {
            if self
                .running
                .iter()
                .all(|one| one.container.uid != container.uid)
            {
                self.start(container, &user)?;
            }
        }
        let backends: Vec<SocketAddr> = self.running.iter().map(|one| one.https).collect();
        self.service.set(&backends);
        self.route()
    }

    /// The containers of the pods that are there and not on their way out.
    fn wanted(&self, count: usize) -> Result<Vec<(Container, container::User)>> {
        let started = Instant::now();
        loop {
            let pods = self.get(&["pods", "-n", HOME])?;
            let items = pods["items"].as_array().cloned().unwrap_or_default();
            let stays = |uid: &str| {
                items.iter().any(|pod| {
                    pod["metadata"]["uid"] == uid && pod["metadata"]["deletionTimestamp"].is_null()
                })
            };
            let mut containers = self.cluster.containers(HOME, HOME)?;
            containers.retain(|container| stays(&container.uid));
            if containers.len() == count {
                let user_of = |container: &Container| {
                    let pod = items
                        .iter()
                        .find(|pod| pod["metadata"]["uid"] == container.uid);
                    container::User::of(pod.context("its pod")?)
                };
                let users = containers.iter().map(user_of).collect::<Result<Vec<_>>>()?;
                return Ok(containers.into_iter().zip(users).collect());
            }
            ensure!(
                started.elapsed() < PATIENCE,
                "{} of {count} containers run: {pods:#}",
                containers.len()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn start(&mut self, container: Container, user: &container::User) -> Result<()> {
        let folder = self.folder.path().join(&container.pod);
        let root = folder.join("root");
        std::fs::create_dir_all(&root)?;
        let command = container.command(&root, user)?;
        let started = Started::of(self.cluster, &folder, &command)?;
        self.running.push(Running {
            container,
            process: started.process,
            https: started.https,
        });
        Ok(())
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

    /// What the kubelet asked for.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        self.running.iter().map(|one| &one.container)
    }

    /// What the replicas have logged last, for messages of failures.
    pub fn last_words(&self) -> String {
        let processes = self.running.iter().flat_map(|one| &one.process);
        processes.map(Process::last_words).collect()
    }

    /// Fails if a replica has ended.
    ///
    /// # Errors
    ///
    /// Which, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        let processes = self.running.iter_mut().flat_map(|one| &mut one.process);
        processes.into_iter().try_for_each(Process::check)
    }
}
