//! The replicas of an installation.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Installation;
use crate::memory::Memory;
use crate::namespace::Namespace;
use crate::portcullis::{LOOPBACK, PROCESS, Started, binary};
use crate::process::{Process, stop_file};
use crate::{http, neighbours};

/// One replica.
pub(super) struct Replica {
    pub(super) name: String,
    pub(super) process: Vec<Process>,
    https: SocketAddr,
    plain: SocketAddr,
}

impl Installation<'_> {
    /// Starts a replica that judges only what is in `namespaces` (none of them:
    /// in all that are not excluded, for a cluster of a test's own), with these
    /// options besides, and puts it behind the Service.
    ///
    /// # Errors
    ///
    /// It does not start: with the end of its log.
    pub fn start(&mut self, namespaces: &[&Namespace<'_>], arguments: &[&str]) -> Result<()> {
        self.start_apart(namespaces, arguments)?;
        self.balance();
        Ok(())
    }

    /// [`Installation::start`], but nobody finds it by the Service.
    ///
    /// # Errors
    ///
    /// As [`Installation::start`].
    pub fn start_apart(&mut self, namespaces: &[&Namespace<'_>], arguments: &[&str]) -> Result<()> {
        let name = format!("replica-{}", self.replicas.len());
        let replica = self.replica(name, namespaces, arguments)?;
        self.replicas.push(replica);
        Ok(())
    }

    fn replica(
        &self,
        name: String,
        namespaces: &[&Namespace<'_>],
        arguments: &[&str],
    ) -> Result<Replica> {
        let command = self.command_line(&name, namespaces, arguments)?;
        let folder = self.folder.path().join(&name);
        std::fs::create_dir_all(&folder)?;
        let started = Started::of(self.home.cluster, &folder, &command)?;
        Ok(Replica {
            name,
            process: started.process,
            https: started.https,
            plain: started.plain,
        })
    }

    /// Kills a replica (SIGKILL) if it runs, and starts it again as
    /// [`Installation::start`] does, under its name and in its place.
    ///
    /// # Errors
    ///
    /// There is none of that name; it does not start: with the end of its log.
    pub fn restart(
        &mut self,
        name: &str,
        namespaces: &[&Namespace<'_>],
        arguments: &[&str],
    ) -> Result<()> {
        self.kill(name);
        let at = self.replicas.iter().position(|one| one.name == name);
        let at = at.with_context(|| format!("no replica {name}"))?;
        self.replicas[at] = self.replica(name.to_owned(), namespaces, arguments)?;
        self.balance();
        Ok(())
    }

    /// The file that says where a replica ends (src/failpoint.rs).
    pub fn stop_file(&self, name: &str) -> PathBuf {
        stop_file(&self.folder.path().join(name), PROCESS)
    }

    fn command_line(
        &self,
        name: &str,
        namespaces: &[&Namespace<'_>],
        arguments: &[&str],
    ) -> Result<Vec<String>> {
        let names = namespaces.iter().map(|namespace| namespace.name());
        let names = names.collect::<Vec<_>>().join(",");
        let command = [
            "run".to_owned(),
            binary()?.display().to_string(),
            "serve".to_owned(),
            format!("--kubeconfig={}", self.kubeconfig()),
            format!("--namespace={}", self.home.name()),
            format!("--service=portcullis:{}", self.service.port()),
            format!("--self-call-address={LOOPBACK}:{}", self.service.port()),
            format!("--registration={}", self.name),
            format!("--identity={name}"),
            format!("--listen={LOOPBACK}:0"),
            format!("--metrics-listen={LOOPBACK}:0"),
        ];
        let is_delay = |argument: &&str| argument.starts_with("--drain-delay=");
        let at_once = match arguments.iter().any(is_delay) {
            true => None,
            false => Some("--drain-delay=0s".to_owned()),
        };
        let selector = format!("--namespace-selector=kubernetes.io/metadata.name in ({names})");
        let selector = (!namespaces.is_empty()).then_some(selector);
        let arguments = [&["--cluster"], arguments].concat();
        let arguments = neighbours::options(self.home.cluster, &arguments);
        Ok(command
            .into_iter()
            .chain(selector)
            .chain(at_once)
            .chain(arguments)
            .collect())
    }

    /// Puts all replicas behind the Service.
    pub fn balance(&self) {
        let backends: Vec<SocketAddr> = self.replicas.iter().map(|one| one.https).collect();
        self.service.set(&backends);
    }

    /// Puts all replicas behind the Service but this one.
    pub fn balance_without(&self, name: &str) {
        let others = self.replicas.iter().filter(|one| one.name != name);
        let backends: Vec<SocketAddr> = others.map(|one| one.https).collect();
        self.service.set(&backends);
    }

    /// Kills a replica (SIGKILL); it stays behind the Service.
    pub fn kill(&mut self, name: &str) {
        for replica in self
            .replicas
            .iter_mut()
            .filter(|replica| replica.name == name)
        {
            replica.process.clear();
        }
    }

    /// Asks a replica to end (SIGTERM).
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn terminate(&mut self, name: &str) -> Result<()> {
        let replica = self
            .replicas
            .iter_mut()
            .find(|replica| replica.name == name);
        let replica = replica.with_context(|| format!("no replica {name}"))?;
        replica.process.iter_mut().try_for_each(Process::terminate)
    }

    /// Fails if a replica has ended that should not have.
    ///
    /// # Errors
    ///
    /// Which, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        let processes = self
            .replicas
            .iter_mut()
            .flat_map(|replica| &mut replica.process);
        processes.into_iter().try_for_each(Process::check)
    }

    /// Whether a replica has ended.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn has_ended(&self, name: &str) -> Result<bool> {
        let replica = self.replicas.iter().find(|replica| replica.name == name);
        let replica = replica.with_context(|| format!("no replica {name}"))?;
        // The port of the metrics is open as long as the process runs.
        Ok(std::net::TcpStream::connect(replica.plain).is_err())
    }

    /// Of each replica that was not killed, whether it is ready.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn ready(&self) -> Result<Vec<bool>> {
        let running = self.running();
        Ok(running
            .map(|replica| http::get(replica.plain, "/readyz").is_ok())
            .collect())
    }

    /// What all replicas have logged.
    pub fn log(&self) -> String {
        let processes = self.replicas.iter().flat_map(|replica| &replica.process);
        processes.map(Process::log).collect()
    }

    /// What `/readyz?verbose` of each replica says that runs and is ready.
    ///
    /// # Errors
    ///
    /// One is not.
    pub fn health(&self) -> Result<Vec<String>> {
        let health = |replica: &Replica| http::get(replica.plain, "/readyz?verbose");
        self.running().map(health).collect()
    }

    /// What each replica that runs takes of memory.
    ///
    /// # Errors
    ///
    /// This is no Linux.
    pub fn memory(&self) -> Result<Vec<Memory>> {
        let processes = self.running().flat_map(|replica| &replica.process);
        processes.map(Process::memory).collect()
    }

    fn running(&self) -> impl Iterator<Item = &Replica> {
        let replicas = self.replicas.iter();
        replicas.filter(|replica| !replica.process.is_empty())
    }

    /// All metrics of each replica that runs.
    ///
    /// # Errors
    ///
    /// A replica does not answer.
    pub fn metrics(&self) -> Result<Vec<String>> {
        let text = |replica: &Replica| http::get(replica.plain, "/metrics");
        self.running().map(text).collect()
    }

    /// One value of the metrics of each replica that runs.
    ///
    /// # Errors
    ///
    /// A replica does not answer.
    pub fn metric(&self, name: &str) -> Result<Vec<f64>> {
        let value = |replica: &Replica| {
            let text = http::get(replica.plain, "/metrics")?;
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            let found = lines.find(|(known, _)| *known == name);
            Ok(found
                .and_then(|(_, value)| value.parse().ok())
                .unwrap_or(0.0))
        };
        self.running().map(value).collect()
    }
}
