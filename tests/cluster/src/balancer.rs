//! A Service for processes outside the cluster: one port, several backends.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

/// Passes connections on, to each backend in turn. One that does not answer is
/// left out, as kube-proxy leaves out pods that are not ready; or, as kube-proxy
/// does until it is told, the connection is closed.
pub struct Balancer {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    backends: Mutex<Vec<SocketAddr>>,
    waits_to_be_told: AtomicBool,
    refused: AtomicUsize,
    lost: AtomicUsize,
}

impl Balancer {
    /// Without a backend: connections are closed.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub fn start() -> Result<Balancer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::<State>::default();
        let accepting = Arc::clone(&state);
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // What comes in pieces goes on in pieces, and at once.
                let _ = stream.set_nodelay(true);
                match connect(&accepting) {
                    Some(backend) => join(&stream, &backend, &accepting),
                    None => drop(accepting.refused.fetch_add(1, Ordering::SeqCst)),
                }
            }
        });
        Ok(Balancer { port, state })
    }

    /// Its port, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on these are asked.
    pub fn set(&self, backends: &[SocketAddr]) {
        *lock(&self.state.backends) = backends.to_vec();
    }

    /// From now on a backend that is gone is left out only when
    /// [`Balancer::set`] says so.
    pub fn wait_to_be_told(&self) {
        self.state.waits_to_be_told.store(true, Ordering::SeqCst);
    }

    /// How many connections were closed since no backend answered.
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// How many connections a backend closed while it owed an answer: the last
    /// to say something was the caller, or spoke when it was gone already.
    pub fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next backend that answers.
fn connect(state: &State) -> Option<TcpStream> {
    let mut tries = {
        let mut backends = lock(&state.backends);
        if !backends.is_empty() {
            backends.rotate_left(1);
        }
        backends.clone()
    };
    if state.waits_to_be_told.load(Ordering::SeqCst) {
        tries.truncate(1);
    }
    tries
        .iter()
        .find_map(|backend| TcpStream::connect(backend).ok())
        .inspect(|backend| drop(backend.set_nodelay(true)))
}

fn join(caller: &TcpStream, backend: &TcpStream, state: &Arc<State>) {
    let owes_answer = Arc::<AtomicBool>::default();
    let is_lost = Arc::<AtomicBool>::default();
    for (from, to, is_caller) in [(caller, backend, true), (backend, caller, false)] {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
            return;
        };
        let (owes, state) = (Arc::clone(&owes_answer), Arc::clone(state));
        let is_lost = Arc::clone(&is_lost);
        std::thread::spawn(move || {
            let is_whole = copy(from, to, || owes.store(is_caller, Ordering::SeqCst));
            let is_owed = match is_caller {
                true => !is_whole,
                false => owes.load(Ordering::SeqCst),
            };
            // Both ends may see it.
            if is_owed && !is_lost.swap(true, Ordering::SeqCst) {
                state.lost.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
}

/// Until either side is gone: then so is the connection. Whether all that was said
/// was passed on.
fn copy(mut from: TcpStream, mut to: TcpStream, said: impl Fn()) -> bool {
    let mut buffer = [0; 16 * 1024];
    let mut is_whole = true;
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        said();
        if to.write_all(&buffer[..length]).is_err() {
            is_whole = false;
            break;
        }
    }
    // It may have been closed from the other side.
    let _ = to.shutdown(Shutdown::Write);
    is_whole
}
