//! A turn of a row: clients that create, each on a connection of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::connection::{Access, Connection};
use super::pod::Manifest;

/// Creates of a client in each turn before anything is measured: what the
/// turn before left behind has settled then.
const WARM_UP: usize = 5;

/// Those who create.
pub(super) struct Clients {
    connections: Vec<Connection>,
    manifest: Manifest,
}

impl Clients {
    /// So many.
    pub(super) fn connect(access: &Access, number: usize) -> Result<Clients> {
        let connections = (0..number).map(|_| Connection::open(access));
        Ok(Clients {
            connections: connections.collect::<Result<_>>()?,
            manifest: Manifest::careful(),
        })
    }

    /// How long each create took, of all that were begun in this time; the
    /// pods are gone afterwards.
    pub(super) fn turn(&mut self, namespace: &str, time: Duration) -> Result<Vec<Duration>> {
        let manifest = &self.manifest;
        let took = std::thread::scope(|scope| {
            let running: Vec<_> = self
                .connections
                .iter_mut()
                .map(|connection| scope.spawn(move || send(connection, manifest, namespace, time)))
                .collect();
            let mut took = Vec::new();
            for thread in running {
                let one = thread.join();
                took.append(&mut one.map_err(|_| anyhow::anyhow!("a client panicked"))??);
            }
            anyhow::Ok(took)
        })?;
        match self.connections.first_mut() {
            Some(connection) => connection.delete_all(namespace)?,
            None => ensure!(took.is_empty(), "nobody created anything"),
        }
        Ok(took)
    }
}

fn send(
    connection: &mut Connection,
    manifest: &Manifest,
    namespace: &str,
    time: Duration,
) -> Result<Vec<Duration>> {
    for _ in 0..WARM_UP {
        create(connection, manifest, namespace)?;
    }
    let until = Instant::now() + time;
    let mut took = Vec::new();
    while Instant::now() < until {
        took.push(create(connection, manifest, namespace)?);
    }
    Ok(took)
}

fn create(connection: &mut Connection, manifest: &Manifest, namespace: &str) -> Result<Duration> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let pod = manifest.numbered(NEXT.fetch_add(1, Ordering::Relaxed));
    let started = Instant::now();
    let answer = connection.create(namespace, pod, "")?;
    let took = started.elapsed();
    ensure!(
        answer.is_created() && answer.warnings.is_empty(),
        "the pod was to be created without a word: {}",
        answer.text()
    );
    Ok(took)
}
