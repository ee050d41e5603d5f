//! The way to an API server, which can be cut.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::folder::Folder;
use crate::kubectl::User;

/// Forwards connections to the API server of a cluster, unless it is cut.
pub struct Line {
    state: Arc<Mutex<State>>,
    kubeconfig: PathBuf,
    // Holds the kubeconfig.
    _folder: Folder,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    open: Vec<TcpStream>,
}

impl Line {
    /// A line to the API server of this cluster.
    ///
    /// # Errors
    ///
    /// The cluster's kubeconfig names no address on this machine.
    pub fn new(cluster: &Cluster) -> Result<Line> {
        let text = std::fs::read_to_string(cluster.kubeconfig(User::Admin))?;
        let server = server(&text).context("the kubeconfig names no https://127.0.0.1:PORT")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let own = listener.local_addr()?;
        let folder = Folder::new(cluster.plane())?;
        let kubeconfig = folder.path().join("line.kubeconfig");
        std::fs::write(
            &kubeconfig,
            text.replace(&server.to_string(), &own.to_string()),
        )?;
        let state = Arc::new(Mutex::new(State::default()));
        let accepting = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Who cannot be connected is hung up on.
                let _ = connect(&accepting, client, server);
            }
        });
        Ok(Line {
            state,
            kubeconfig,
            _folder: folder,
        })
    }

    /// A kubeconfig that leads over this line, as an administrator.
    pub fn kubeconfig(&self) -> &PathBuf {
        &self.kubeconfig
    }

    /// Ends all connections and lets no new ones through.
    pub fn cut(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_cut = true;
        for stream in state.open.drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_cut = false;
    }
}

/// The address in `server: https://127.0.0.1:PORT`.
fn server(kubeconfig: &str) -> Option<SocketAddr> {
    let (_, rest) = kubeconfig.split_once("https://127.0.0.1:")?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((Ipv4Addr::LOCALHOST, port.parse().ok()?).into())
}

fn connect(state: &Mutex<State>, client: TcpStream, server: SocketAddr) -> Result<()> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if state.is_cut {
        return Ok(());
    }
    let server = TcpStream::connect(server)?;
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        std::thread::spawn(move || copy(from, to));
    }
    state.open.extend([client, server]);
    Ok(())
}

/// Until either end hangs up.
fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(length) if length > 0 && to.write_all(&buffer[..length]).is_ok() => {}
            _ => break,
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
