//! What a container runtime and kube-proxy do for the pods of a release: a
//! process for each container that the kubelet asks for, ready before the
//! kubelet says so, ended as the kubelet wishes; and a Service that leads to
//! those that run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::HOME;
use crate::balancer::Balancer;
use crate::cluster::Cluster;
use crate::container::{Container, User as Account};
use crate::folder::Folder;
use crate::http;
use crate::kubectl::User;
use crate::portcullis::{begin, serves};
use crate::process::Process;

/// How long a Service leads to a replica that was asked to end: until every
/// kube-proxy has heard of it.
const LAG: Duration = Duration::from_secs(1);

/// The processes of a release.
pub(super) struct Pods<'c> {
    cluster: &'c Cluster,
    folder: Folder,
    all: Vec<Pod>,
}

struct Pod {
    container: Container,
    folder: PathBuf,
    process: Vec<Process>,
    /// Where it serves HTTPS, once it does.
    https: Option<SocketAddr>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// It is not ready yet.
    Starting,
    Running,
    /// It was asked to end, and then; it has this long.
    Stopping(Instant, Duration),
    Ended,
}

impl Pod {
    /// The file that says that of its container (plane/README.md).
    fn file(&self, says: &str) -> PathBuf {
        self.container.record.with_extension(says)
    }

    fn say(&self, says: &str) -> Result<()> {
        let file = self.file(says);
        std::fs::write(&file, "").with_context(|| file.display().to_string())
    }

    /// Whether the Service leads to it.
    fn is_led_to(&self) -> bool {
        match self.stage {
            Stage::Running => true,
            Stage::Stopping(since, _) => since.elapsed() < LAG,
            Stage::Starting | Stage::Ended => false,
        }
    }

    /// Does what is due.
    fn step(&mut self) -> Result<()> {
        if let Stage::Starting | Stage::Running = self.stage {
            self.process.iter_mut().try_for_each(Process::check)?;
            if let Ok(grace) = std::fs::read_to_string(self.file("stop"))
                && grace.ends_with('\n')
            {
                self.process.iter_mut().try_for_each(Process::terminate)?;
                let grace = Duration::from_secs(grace.trim().parse()?);
                self.stage = Stage::Stopping(Instant::now(), grace);
            }
        }
        match self.stage {
            Stage::Starting => {
                if let Some((https, plain)) = serves(&self.folder)?
                    && http::get(plain, "/readyz").is_ok()
                {
                    self.https = Some(https);
                    self.say("running")?;
                    self.stage = Stage::Running;
                }
            }
            Stage::Stopping(since, grace) => {
                if self.process.iter_mut().all(Process::has_ended) {
                    self.say("ended")?;
                    self.stage = Stage::Ended;
                }
                let name = &self.container.pod;
                ensure!(
                    since.elapsed() <= grace,
                    "{name} did not end in its {grace:?}"
                );
            }
            _ => {}
        }
        Ok(())
    }
}

impl<'c> Pods<'c> {
    pub(super) fn new(cluster: &'c Cluster, folder: Folder) -> Pods<'c> {
        Pods {
            cluster,
            folder,
            all: vec![],
        }
    }

    /// Where this release keeps files.
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Starts what the kubelet has asked for since, and does for each what is
    /// due; the Service leads where it should.
    pub(super) fn step(&mut self, service: &Balancer) -> Result<()> {
        for container in self.cluster.containers(HOME, HOME)? {
            let mut known = self.all.iter();
            if known.all(|one| one.container.record != container.record) {
                self.start(container)?;
            }
        }
        self.all.iter_mut().try_for_each(Pod::step)?;
        let mut ends: Vec<SocketAddr> = self.ends(Pod::is_led_to);
        if ends.is_empty() {
            // Rather to one that is about to end than to nobody (kube-proxy's
            // ProxyTerminatingEndpoints).
            ends = self.ends(|pod| matches!(pod.stage, Stage::Stopping(..)));
        }
        service.set(&ends);
        Ok(())
    }

    fn ends(&self, wanted: impl Fn(&Pod) -> bool) -> Vec<SocketAddr> {
        let wanted = self.all.iter().filter(|pod| wanted(pod));
        wanted.filter_map(|pod| pod.https).collect()
    }

    fn start(&mut self, container: Container) -> Result<()> {
        let get = ["get", "pod", &container.pod, "-n", HOME, "-o", "json"];
        let pod = self.cluster.kubectl(User::Admin, &get, "")?.ok()?;
        let account = Account::of(&serde_json::from_str::<Value>(&pod)?)?;
        let stem = container.record.file_stem().map(Path::new);
        let folder = self.folder.path().join(stem.context("a record's name")?);
        let root = folder.join("root");
        std::fs::create_dir_all(&root)?;
        let command = container.command(&root, &account)?;
        // Others are stepped while it starts: the Service has to leave those that end.
        let process = begin(self.cluster, &folder, &command)?;
        self.all.push(Pod {
            container,
            folder,
            process: vec![process],
            https: None,
            stage: Stage::Starting,
        });
        Ok(())
    }

    /// Whether that many run, and no other is on its way in or out.
    pub(super) fn are(&self, count: usize) -> bool {
        let mut living = self.all.iter().filter(|pod| pod.stage != Stage::Ended);
        living.clone().count() == count && living.all(|pod| pod.stage == Stage::Running)
    }

    /// Those that run.
    pub(super) fn running(&self) -> impl Iterator<Item = &Container> {
        let running = self.all.iter().filter(|pod| pod.stage == Stage::Running);
        running.map(|pod| &pod.container)
    }

    /// What those that have not ended have logged last.
    pub(super) fn last_words(&self) -> String {
        let living = self.all.iter().filter(|pod| pod.stage != Stage::Ended);
        let processes = living.flat_map(|pod| &pod.process);
        processes.map(Process::last_words).collect()
    }

    /// Kills all of them (SIGKILL); the kubelet is not told.
    pub(super) fn kill(&mut self) {
        self.all.iter_mut().for_each(|pod| {
            pod.process.clear();
            pod.stage = Stage::Ended;
        });
    }
}
