//! A cluster: one that is started here, or one that the user points at.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::flags::{self, Ports};
use crate::folder::Folder;
use crate::kubectl::{self, Answer, Program, User};
use crate::process::{PortTaken, Process, wait};
use crate::{certificates, kubeconfig, plane};

/// How long a cluster may take on a machine that does other things, too; alone
/// it takes less than ten seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often ports are chosen anew.
const TRIES: usize = 5;

/// How much of each request the audit log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuditLevel {
    /// Who did what to what, and what webhooks said about it.
    #[default]
    Metadata,
    /// Bodies, too.
    RequestResponse,
}

/// A cluster, stopped when it is dropped if it was started here.
pub struct Cluster {
    /// Empty for a cluster that is not ours. Ends before the folder does.
    components: Vec<Process>,
    plane: PathBuf,
    folder: Folder,
}

impl Cluster {
    /// Starts a control plane and a node of its own, which several can be on
    /// one machine.
    ///
    /// # Errors
    ///
    /// Go is missing; a component does not start: with the end of its log.
    pub fn start() -> Result<Cluster> {
        Cluster::start_with(AuditLevel::default())
    }

    /// [`Cluster::start`], with an audit log of that level.
    ///
    /// # Errors
    ///
    /// As [`Cluster::start`].
    pub fn start_with(audit: AuditLevel) -> Result<Cluster> {
        let plane = plane::build()?;
        Cluster::start_on(&plane, audit, free_ports)
    }

    /// Asks for ports anew while somebody else was quicker to use one.
    fn start_on(
        plane: &Path,
        audit: AuditLevel,
        mut ports: impl FnMut() -> Result<Ports>,
    ) -> Result<Cluster> {
        for _ in 1..TRIES {
            match Cluster::try_start(plane, audit, ports()?) {
                Err(error) if error.is::<PortTaken>() => {}
                done => return done,
            }
        }
        Cluster::try_start(plane, audit, ports()?)
    }

    fn try_start(plane: &Path, audit: AuditLevel, ports: Ports) -> Result<Cluster> {
        let folder = Folder::new(plane)?;
        certificates::write(&folder)?;
        for (name, ..) in certificates::CLIENTS {
            kubeconfig::write(&folder, name, ports.api_server)?;
        }
        let mut cluster = Cluster {
            components: Vec::new(),
            plane: plane.to_owned(),
            folder,
        };
        cluster.start_api_server(audit, ports)?;
        cluster.start_others()?;
        Ok(cluster)
    }

    fn start_api_server(&mut self, audit: AuditLevel, ports: Ports) -> Result<()> {
        self.run("etcd", &flags::etcd(&self.folder, ports))?;
        let etcd = (Ipv4Addr::LOCALHOST, ports.etcd);
        wait("etcd listens", PATIENCE, &mut self.components, || {
            Ok(TcpStream::connect(etcd).is_ok())
        })?;
        let arguments = flags::api_server(&self.folder, ports, audit)?;
        self.run("kube-apiserver", &arguments)?;
        let address = (Ipv4Addr::LOCALHOST, ports.api_server);
        // Whoever else has taken the port may accept and never answer.
        let ready = ["get", "--raw", "/readyz", "--request-timeout=5s"];
        self.wait_for("the API server is ready", |kubectl| {
            Ok(TcpStream::connect(address).is_ok() && kubectl(&ready)?.stdout == "ok")
        })
    }

    fn start_others(&mut self) -> Result<()> {
        let manager = flags::controller_manager(&self.folder);
        self.run("kube-controller-manager", &manager)?;
        self.run("kube-scheduler", &flags::scheduler(&self.folder))?;
        self.run("node", &flags::node(&self.folder))?;
        let objects = ["get", "serviceaccount/default", "node/node-1"];
        let options = ["--ignore-not-found", "-n", "default", "-o", "json"];
        let what = "the node is ready and service accounts are made";
        self.wait_for(what, |kubectl| {
            Ok(is_up(&kubectl(&[&objects[..], &options].concat())?.stdout))
        })
    }

    /// The cluster of a kubeconfig, which has to name an administrator. It is
    /// left as it was.
    ///
    /// # Errors
    ///
    /// The file is no kubeconfig, or nobody answers there.
    pub fn foreign(config: &Path) -> Result<Cluster> {
        let plane = plane::build()?;
        let folder = Folder::new(&plane)?;
        let config = std::path::absolute(config)?;
        let context = || format!("the kubeconfig {}", config.display());
        let flat = kubectl::run(&plane, &config, folder.path(), &kubeconfig::VIEW, "")
            .and_then(Answer::ok)
            .with_context(context)?;
        kubeconfig::write_foreign(&folder, &flat).with_context(context)?;
        let cluster = Cluster {
            components: Vec::new(),
            plane,
            folder,
        };
        let allowed = ["auth", "can-i", "*", "*", "--all-namespaces"];
        let answer = cluster.kubectl(User::Admin, &allowed, "")?;
        ensure!(
            answer.stdout.trim() == "yes",
            "{} has to be an administrator's, of a cluster that answers: {}",
            context(),
            answer.stderr.trim()
        );
        Ok(cluster)
    }

    /// Whether it was started here: then it may be asked for its audit log.
    pub fn is_own(&self) -> bool {
        !self.components.is_empty()
    }

    /// Its folder: kubeconfigs, certificates, a log for each component.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program that it consists of, `kubectl` included.
    pub fn plane(&self) -> &Path {
        &self.plane
    }

    /// A kubeconfig of that user.
    pub fn kubeconfig(&self, user: User) -> PathBuf {
        self.folder
            .path()
            .join(format!("{}.kubeconfig", user.name()))
    }

    /// The kubectl that is as old as the API server.
    pub fn program(&self) -> Program {
        Program::built(&self.plane)
    }

    /// Runs kubectl as that user and gives what it did, whatever that was.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn kubectl(&self, user: User, arguments: &[&str], stdin: &str) -> Result<Answer> {
        let directory = crate::root();
        kubectl::run(
            &self.plane,
            &self.kubeconfig(user),
            directory,
            arguments,
            stdin,
        )
    }

    /// The audit log so far, one event each; None where it is not ours.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn audit_events(&self) -> Result<Option<Vec<Value>>> {
        if !self.is_own() {
            return Ok(None);
        }
        let log = std::fs::read_to_string(self.folder.file("audit.log"))?;
        let whole = log.lines().filter(|line| line.ends_with('}'));
        let events = whole.map(serde_json::from_str);
        Ok(Some(
            events.collect::<Result<_, _>>().context("the audit log")?,
        ))
    }

    /// Fails if a component has ended, with the end of its log.
    ///
    /// # Errors
    ///
    /// Which one, and why.
    pub fn check(&mut self) -> Result<()> {
        self.components.iter_mut().try_for_each(Process::check)
    }

    fn run(&mut self, name: &'static str, arguments: &[String]) -> Result<()> {
        let process = Process::start(&self.plane, self.folder.path(), name, arguments)?;
        self.components.push(process);
        Ok(())
    }

    /// Waits for what an administrator's kubectl can see.
    fn wait_for(
        &mut self,
        what: &str,
        holds: impl Fn(&dyn Fn(&[&str]) -> Result<Answer>) -> Result<bool>,
    ) -> Result<()> {
        let (plane, config) = (self.plane.clone(), self.kubeconfig(User::Admin));
        let folder = self.folder.path();
        let kubectl = |arguments: &[&str]| kubectl::run(&plane, &config, folder, arguments, "");
        wait(what, PATIENCE, &mut self.components, || holds(&kubectl))
    }
}

/// Whether the list holds both objects, and the node says that it is ready.
fn is_up(list: &str) -> bool {
    let list: Value = serde_json::from_str(list).unwrap_or_default();
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    let conditions = items
        .iter()
        .filter_map(|item| item.pointer("/status/conditions"));
    let mut conditions = conditions.flat_map(|list| list.as_array().into_iter().flatten());
    items.len() == 2 && conditions.any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// Ports that nobody listens on at this moment, all different.
fn free_ports() -> Result<Ports> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free");
    let listeners = [listen()?, listen()?, listen()?];
    let port = |listener: &TcpListener| Ok::<_, std::io::Error>(listener.local_addr()?.port());
    Ok(Ports {
        etcd: port(&listeners[0])?,
        peers: port(&listeners[1])?,
        api_server: port(&listeners[2])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_given_up_for_another_one() {
        let plane = plane::build().expect("the program");
        let squatter = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let taken = squatter.local_addr().expect("an address").port();
        let mut offers = 0;
        let cluster = Cluster::start_on(&plane, AuditLevel::default(), || {
            offers += 1;
            let free = free_ports()?;
            Ok(match offers {
                1 => Ports {
                    peers: taken,
                    ..free
                },
                2 => Ports {
                    api_server: taken,
                    ..free
                },
                _ => free,
            })
        });
        cluster.expect("the third ports are free");
        assert_eq!(offers, 3);
    }
}
