//! What kube-proxy and the pod network do for the API server: calls to the
//! cluster IP of a Service end at processes of this machine.
//!
//! The API server sends them to us by its egress selector, as it does where
//! the control plane is not part of the pod network: HTTP CONNECT over a unix
//! socket (KEP-1281).

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::folder::Folder;

/// More than a CONNECT is.
const MAX_HEAD: usize = 4096;

/// Ports of this machine by `CLUSTER-IP:PORT`.
type Routes = Arc<Mutex<BTreeMap<String, u16>>>;

/// The Services that lead somewhere; connections to all others are refused.
pub(crate) struct Services {
    routes: Routes,
}

impl Services {
    /// Listens in the folder of a cluster.
    pub(crate) fn start(folder: &Folder) -> Result<Services> {
        let socket = socket(folder);
        let listener = UnixListener::bind(&socket).with_context(|| socket.clone())?;
        let routes = Routes::default();
        let known = Arc::clone(&routes);
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let known = Arc::clone(&known);
                std::thread::spawn(move || {
                    if let Err(error) = serve(stream, &known) {
                        eprintln!("the API server calls a Service: {error:#}");
                    }
                });
            }
        });
        Ok(Services { routes })
    }

    /// From now on that Service is at this port of the machine.
    pub(crate) fn set(&self, address: String, port: u16) {
        lock(&self.routes).insert(address, port);
    }
}

fn socket(folder: &Folder) -> String {
    folder.file("services.sock")
}

/// What the API server is told of it.
pub(crate) fn egress_selector(folder: &Folder) -> String {
    json!({
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": {
            "proxyProtocol": "HTTPConnect",
            "transport": {"uds": {"udsName": socket(folder)}},
        }}],
    })
    .to_string()
}

fn lock(routes: &Routes) -> std::sync::MutexGuard<'_, BTreeMap<String, u16>> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut caller: UnixStream, routes: &Routes) -> Result<()> {
    let target = target(&mut caller)?;
    let port = lock(routes).get(&target).copied();
    let Some(port) = port else {
        caller.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")?;
        bail!("nobody is at {target}");
    };
    let backend = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    caller.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (from, to) = (caller.try_clone()?, backend.try_clone()?);
    std::thread::spawn(move || {
        copy(from, &to);
        let _ = to.shutdown(Shutdown::Write);
    });
    copy(backend, &caller);
    let _ = caller.shutdown(Shutdown::Write);
    Ok(())
}

/// Where a CONNECT wants to go: `HOST:PORT`.
fn target(caller: &mut UnixStream) -> Result<String> {
    let mut head = Vec::new();
    // Nothing follows before we have answered.
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if caller.read(&mut byte)? == 0 || head.len() > MAX_HEAD {
            bail!("no CONNECT: {}", String::from_utf8_lossy(&head));
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).context("a CONNECT")?;
    let mut words = head.split_whitespace();
    match (words.next(), words.next()) {
        (Some("CONNECT"), Some(target)) => Ok(target.to_owned()),
        _ => bail!("no CONNECT: {head}"),
    }
}

/// Until either side is gone.
fn copy(mut from: impl Read, mut to: impl Write) {
    // An error is the end of the connection, as on any network.
    let _ = std::io::copy(&mut from, &mut to);
}
