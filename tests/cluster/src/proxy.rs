//! A proxy in front of an API server that makes calls go wrong, and counts
//! them.
//!
//! It ends TLS with a CA of its own and passes each call on with the caller's
//! bearer token. A client certificate cannot be passed on, so its callers are
//! service accounts: [`Proxy::kubeconfig`] makes a file for one. It speaks
//! HTTP/1.1, so that a reset befalls one call and not its neighbours; it
//! streams watches; it does not upgrade connections (`exec`, `port-forward`).

mod call;
mod fault;
mod relay;
mod rule;
mod serve;
mod socket;
mod upstream;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use call::Access;
pub use fault::Fault;
pub use rule::Rule;

use crate::cluster::Cluster;
use crate::folder::Folder;
use crate::kubectl::{self, Answer, User};
use crate::{kubeconfig, tls};
use rule::Active;
use serve::State;
use upstream::Upstream;

/// A proxy in front of the API server of a cluster, ended when it is dropped.
pub struct Proxy<'c> {
    cluster: &'c Cluster,
    address: SocketAddr,
    state: Arc<State>,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    folder: Folder,
}

/// A rule in force until this is dropped.
#[must_use = "the rule is taken back when this is dropped"]
pub struct Injection {
    active: Arc<Active>,
    state: Arc<State>,
}

/// The API server is gone until this is dropped.
#[must_use = "the outage ends when this is dropped"]
pub struct Outage(Arc<State>);

impl<'c> Proxy<'c> {
    /// Starts one on a free port of the loopback.
    ///
    /// # Errors
    ///
    /// The cluster's kubeconfig has no address or no CA.
    pub fn start(cluster: &'c Cluster) -> Result<Proxy<'c>> {
        let config = cluster.kubectl(User::Admin, &kubeconfig::VIEW, "")?.ok()?;
        let state = Arc::new(State::new(Upstream::parse(&config)?));
        let folder = Folder::new(cluster.plane())?;
        let acceptor = tls::acceptor(&folder)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        runtime.spawn(serve::accept(listener, acceptor, Arc::clone(&state)));
        Ok(Proxy {
            cluster,
            address,
            state,
            runtime: Some(runtime),
            folder,
        })
    }

    /// A kubeconfig that goes through the proxy as a service account, which
    /// has to be there.
    ///
    /// # Errors
    ///
    /// The API server gives no token for the account.
    pub fn kubeconfig(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let create = ["create", "token", account, "--namespace", namespace];
        let token = self.cluster.kubectl(User::Admin, &create, "")?.ok()?;
        let name = format!("{namespace}.{account}");
        kubeconfig::write_token(&self.folder, &name, self.address.port(), token.trim())
    }

    /// Runs kubectl with a kubeconfig and gives what it did.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn kubectl(&self, config: &Path, arguments: &[&str], stdin: &str) -> Result<Answer> {
        kubectl::run(
            self.cluster.plane(),
            config,
            crate::root(),
            arguments,
            stdin,
        )
    }

    /// Puts a rule in force. Of several the one that was first decides.
    pub fn inject(&self, rule: Rule) -> Injection {
        let active = Arc::new(Active::new(rule));
        self.state.add(Arc::clone(&active));
        Injection {
            active,
            state: Arc::clone(&self.state),
        }
    }

    /// Resets all connections, and all that are tried.
    pub fn outage(&self) -> Outage {
        self.state.outages.send_modify(|outages| *outages += 1);
        Outage(Arc::clone(&self.state))
    }

    /// Ends the watches of a resource (`pods`) that are open, with an event
    /// that says that their version is too old. Gives how many watches, of
    /// whatever resource, were told.
    pub fn expire_watches(&self, resource: &str) -> usize {
        // An error is that nobody listens.
        self.state.expired.send(resource.to_owned()).unwrap_or(0)
    }

    /// How often each account did what, those calls included that went wrong.
    pub fn counts(&self) -> BTreeMap<Access, u64> {
        self.state.counts()
    }
}

impl Drop for Proxy<'_> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Also where nothing may block: in a test that is asynchronous.
            runtime.shutdown_background();
        }
    }
}

impl Injection {
    /// How many calls the fault has befallen.
    pub fn hits(&self) -> u64 {
        self.active.hits()
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        self.state.remove(&self.active);
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        self.0.outages.send_modify(|outages| *outages -= 1);
    }
}
