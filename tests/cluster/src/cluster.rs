//! A cluster: one that is started here, or one that the user points at.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::boot::{Kind, Setup};
use crate::flags::Ports;
use crate::folder::Folder;
use crate::kubectl::{self, Answer, Program, User};
use crate::process::{PortTaken, Process};
use crate::services::Services;
use crate::{certificates, kubeconfig, plane};

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
    components: Mutex<Vec<Process>>,
    pub(crate) plane: PathBuf,
    pub(crate) folder: Folder,
    /// None for a cluster that is not ours.
    pub(crate) setup: Option<Setup>,
    /// None where cluster IPs lead nowhere.
    pub(crate) services: Option<Services>,
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
        Cluster::start_on(&plane::build()?, Kind::audited(audit), free_ports)
    }

    /// [`Cluster::start`], but the node is not ready until a container runs in
    /// the namespace of this name, which brings the pod network.
    ///
    /// # Errors
    ///
    /// As [`Cluster::start`].
    pub fn start_with_network_from(namespace: &str) -> Result<Cluster> {
        let kind = Kind {
            network_from: Some(namespace.to_owned()),
            ..Kind::default()
        };
        Cluster::start_on(&plane::build()?, kind, free_ports)
    }

    /// [`Cluster::start`], but the API server calls Services by their cluster
    /// IPs, which lead to where a [`crate::release::Release`] says.
    ///
    /// # Errors
    ///
    /// As [`Cluster::start`].
    pub fn start_with_services() -> Result<Cluster> {
        let kind = Kind {
            has_services: true,
            ..Kind::default()
        };
        Cluster::start_on(&plane::build()?, kind, free_ports)
    }

    /// Asks for ports anew while somebody else was quicker to use one.
    fn start_on(
        plane: &Path,
        kind: Kind,
        mut ports: impl FnMut() -> Result<Ports>,
    ) -> Result<Cluster> {
        let mut start = || {
            let setup = Setup {
                ports: ports()?,
                kind: kind.clone(),
            };
            Cluster::try_start(plane, setup)
        };
        for _ in 1..TRIES {
            match start() {
                Err(error) if error.is::<PortTaken>() => {}
                done => return done,
            }
        }
        start()
    }

    fn try_start(plane: &Path, setup: Setup) -> Result<Cluster> {
        let folder = Folder::new(plane)?;
        certificates::write(&folder)?;
        for (name, ..) in certificates::CLIENTS {
            kubeconfig::write(&folder, name, setup.ports.api_server)?;
        }
        let services = setup.kind.has_services.then(|| Services::start(&folder));
        let services = services.transpose()?;
        let cluster = Cluster {
            components: Mutex::default(),
            plane: plane.to_owned(),
            folder,
            setup: Some(setup),
            services,
        };
        cluster.boot()?;
        Ok(cluster)
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
            components: Mutex::default(),
            plane,
            folder,
            setup: None,
            services: None,
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
        self.setup.is_some()
    }

    pub(crate) fn components(&self) -> MutexGuard<'_, Vec<Process>> {
        let components = self.components.lock();
        components.unwrap_or_else(PoisonError::into_inner)
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
    pub fn check(&self) -> Result<()> {
        self.components().iter_mut().try_for_each(Process::check)
    }
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
        let cluster = Cluster::start_on(&plane, Kind::default(), || {
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
