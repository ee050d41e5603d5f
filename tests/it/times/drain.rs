//! A rolling restart behind callers that learn of it late.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use super::extent;
use super::traffic::{Caller, End, Target};
use crate::serve::{Server, pod};

/// As a pool of HTTP/1.1 connections that goes round its list of servers, and
/// never tries a request a second time.
struct Pool {
    /// What it knows: the number of a server, and where it is.
    servers: Mutex<Vec<(usize, Target)>>,
    sent: AtomicU32,
    newest: AtomicUsize,
}

impl Pool {
    fn learn(&self, slot: usize, number: usize, server: &Server) {
        let target = Target::new(server.https, &server.file("certs/ca.crt"));
        self.servers.lock().expect("no panic")[slot] = (number, target);
    }

    /// Sends to one after the other over connections of this thread.
    fn run(&self, is_over: &AtomicBool) {
        let mut open: Vec<Option<(usize, Caller)>> = vec![None, None, None];
        let mut slot = 0;
        while !is_over.load(Ordering::Relaxed) {
            slot = (slot + 1) % open.len();
            let (number, target) = self.servers.lock().expect("no panic")[slot].clone();
            let kept = open[slot].take().filter(|(kept, _)| *kept == number);
            let mut caller = kept.map_or_else(|| Caller::new(&target), |(_, caller)| caller);
            caller.timed("/validate/ignore", &pod("nginx:1.2.3"));
            self.sent.fetch_add(1, Ordering::Relaxed);
            self.newest.fetch_max(number, Ordering::Relaxed);
            open[slot] = Some((number, caller));
            // Half of what they could take, and less.
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn a_rolling_restart_loses_nothing_of_a_pool_that_learns_of_it_late() {
    let late = extent(Duration::from_millis(1_500), Duration::from_secs(10));
    // As the default of 15 s is to the 10 s: half as long again, and what a busy machine
    // takes to send what was on its way.
    let spare = extent(Duration::from_secs(3), Duration::ZERO);
    let delay = format!("{}ms", (late * 3 / 2 + spare).as_millis());
    let start = || Server::start(&["--drain-delay", &delay]);
    let mut servers: Vec<Server> = (0..3).map(|_| start()).collect();
    let known = servers
        .iter()
        .enumerate()
        .map(|(number, server)| {
            let ca = server.file("certs/ca.crt");
            (number, Target::new(server.https, &ca))
        })
        .collect();
    let pool = Pool {
        servers: Mutex::new(known),
        sent: AtomicU32::new(0),
        newest: AtomicUsize::new(0),
    };
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let end = End(&is_over);
        for _ in 0..4 {
            scope.spawn(|| pool.run(&is_over));
        }
        for (slot, server) in servers.iter_mut().enumerate() {
            let next = start();
            let mut old = std::mem::replace(server, next);
            old.signal("-TERM");
            std::thread::sleep(late);
            let before = pool.sent.load(Ordering::Relaxed);
            assert!(before > 100, "only {before} requests");
            assert_eq!(
                old.process.try_wait().expect("a process"),
                None,
                "it serves on"
            );
            pool.learn(slot, 3 + slot, server);
            assert_eq!(old.process.wait().expect("an end").code(), Some(0));
        }
        std::thread::sleep(Duration::from_millis(200));
        drop(end);
    });
    assert_eq!(pool.newest.into_inner(), 5, "the pool went on to the last");
    println!("{} requests, none lost", pool.sent.into_inner());
}
