//! What a cluster consists of: started in its order, stopped, and started again
//! over what etcd has kept.

use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cluster::{AuditLevel, Cluster};
use crate::flags::{self, Ports};
use crate::kubectl::{self, Answer, User};
use crate::process::{Process, wait};

/// How long a cluster may take on a machine that does other things, too; alone
/// it takes less than ten seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a cluster is started, each time.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) ports: Ports,
    pub(crate) kind: Kind,
}

/// What sets a cluster apart from others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kind {
    pub(crate) audit: AuditLevel,
    /// The namespace whose pods bring the network; None: it is there.
    pub(crate) network_from: Option<String>,
    /// Whether cluster IPs lead anywhere.
    pub(crate) has_services: bool,
}

impl Kind {
    /// With an audit log of that level.
    pub(crate) fn audited(audit: AuditLevel) -> Kind {
        Kind {
            audit,
            ..Kind::default()
        }
    }
}

impl Cluster {
    /// Starts everything anew after [`Cluster::stop`], as a machine does that
    /// was switched off: etcd has kept what it had, containers are forgotten.
    /// Waits until the node has spoken, and is ready unless its network comes
    /// from a namespace.
    ///
    /// # Errors
    ///
    /// A component does not start: with the end of its log. It is not ours.
    pub fn boot(&self) -> Result<()> {
        let setup = self.setup.as_ref().context("it was not started here")?;
        let now = OffsetDateTime::now_utc().replace_nanosecond(0)?;
        let now = now.format(&Rfc3339)?;
        self.start_api_server(setup)?;
        self.start_others(setup)?;
        let objects = ["get", "serviceaccount/default", "node/node-1"];
        let options = ["--ignore-not-found", "-n", "default", "-o", "json"];
        let what = "the node is ready and service accounts are made";
        let must_be_ready = setup.kind.network_from.is_none();
        self.wait_for(what, |kubectl| {
            let list = kubectl(&[&objects[..], &options].concat())?.stdout;
            Ok(is_up(&list, &now, must_be_ready))
        })
    }

    /// Ends everything, all at once as far as anybody can tell: nothing is
    /// said goodbye to.
    pub fn stop(&self) {
        let mut components = self.components();
        // Who is served before who serves.
        while let Some(component) = components.pop() {
            drop(component);
        }
    }

    /// Ends one component: `node`, `kube-controller-manager`.
    pub fn end(&self, name: &str) {
        self.components()
            .retain(|component| component.name() != name);
    }

    fn start_api_server(&self, setup: &Setup) -> Result<()> {
        let ports = setup.ports;
        self.run("etcd", &flags::etcd(&self.folder, ports))?;
        let etcd = (Ipv4Addr::LOCALHOST, ports.etcd);
        wait("etcd listens", PATIENCE, &mut self.components(), || {
            Ok(TcpStream::connect(etcd).is_ok())
        })?;
        let mut arguments = flags::api_server(&self.folder, ports, setup.kind.audit)?;
        if setup.kind.has_services {
            arguments.push(flags::egress(&self.folder)?);
        }
        self.run("kube-apiserver", &arguments)?;
        let address = (Ipv4Addr::LOCALHOST, ports.api_server);
        // Whoever else has taken the port may accept and never answer.
        let ready = ["get", "--raw", "/readyz", "--request-timeout=5s"];
        self.wait_for("the API server is ready", |kubectl| {
            Ok(TcpStream::connect(address).is_ok() && kubectl(&ready)?.stdout == "ok")
        })
    }

    fn start_others(&self, setup: &Setup) -> Result<()> {
        let manager = flags::controller_manager(&self.folder);
        self.run("kube-controller-manager", &manager)?;
        self.run("kube-scheduler", &flags::scheduler(&self.folder))?;
        let network = setup.kind.network_from.as_deref();
        // Where Services lead somewhere, a release is run.
        let held = setup.kind.has_services.then_some(crate::release::HOME);
        self.run("node", &flags::node(&self.folder, network, held))
    }

    fn run(&self, name: &'static str, arguments: &[String]) -> Result<()> {
        let process = Process::start(&self.plane, self.folder.path(), name, arguments)?;
        self.components().push(process);
        Ok(())
    }

    /// Waits for what an administrator's kubectl can see.
    fn wait_for(
        &self,
        what: &str,
        holds: impl Fn(&dyn Fn(&[&str]) -> Result<Answer>) -> Result<bool>,
    ) -> Result<()> {
        let (plane, config) = (&self.plane, self.kubeconfig(User::Admin));
        let folder = self.folder.path();
        let kubectl = |arguments: &[&str]| kubectl::run(plane, &config, folder, arguments, "");
        wait(what, PATIENCE, &mut self.components(), || holds(&kubectl))
    }
}

/// Whether the list holds both objects, and the node has said after that time
/// how it is: that it is ready, if it must.
fn is_up(list: &str, after: &str, must_be_ready: bool) -> bool {
    let list: Value = serde_json::from_str(list).unwrap_or_default();
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    let conditions = items
        .iter()
        .filter_map(|item| item.pointer("/status/conditions"));
    let mut conditions = conditions.flat_map(|list| list.as_array().into_iter().flatten());
    let is_said = |one: &Value| {
        let at = one["lastHeartbeatTime"].as_str();
        // Times of one form, so that text is in the order of time.
        at.is_some_and(|at| at > after) && (one["status"] == "True" || !must_be_ready)
    };
    items.len() == 2 && conditions.any(|one| one["type"] == "Ready" && is_said(one))
}
