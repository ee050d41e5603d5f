//! A Service for processes outside the cluster: one port, several backends.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

/// Passes connections on, to each backend in turn; one that does not answer is
/// left out, as kube-proxy leaves out pods that are not ready.
pub struct Balancer {
    port: u16,
    backends: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Balancer {
    /// Without a backend: connections are closed.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub fn start() -> Result<Balancer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let balancer = Balancer {
            port: listener.local_addr()?.port(),
            backends: Arc::default(),
        };
        let backends = Arc::clone(&balancer.backends);
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(backend) = connect(&backends) {
                    join(&stream, &backend);
                }
            }
        });
        Ok(balancer)
    }

    /// Its port, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on these are asked.
    pub fn set(&self, backends: &[SocketAddr]) {
        *lock(&self.backends) = backends.to_vec();
    }
}

fn lock(backends: &Mutex<Vec<SocketAddr>>) -> MutexGuard<'_, Vec<SocketAddr>> {
    backends.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next backend that answers.
fn connect(backends: &Mutex<Vec<SocketAddr>>) -> Option<TcpStream> {
    let tries = {
        let mut backends = lock(backends);
        if !backends.is_empty() {
            backends.rotate_left(1);
        }
        backends.clone()
    };
    tries
        .iter()
        .find_map(|backend| TcpStream::connect(backend).ok())
}

fn join(one: &TcpStream, other: &TcpStream) {
    for (from, to) in [(one, other), (other, one)] {
        let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
            return;
        };
        std::thread::spawn(move || {
            // Either side may be gone: then so is the connection.
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}
