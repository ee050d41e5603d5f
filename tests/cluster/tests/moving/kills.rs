//! Whoever is killed, in whatever moment: nothing is lost, and nothing is in
//! the open. Two clients write and two replicas and one that serves are killed
//! (SIGKILL) at each moment of the protocol, while what etcd has is held against
//! what clients were told.
//!
//! `PORTCULLIS_KILLS` says how many kills; `PORTCULLIS_SEED` repeats their order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use portcullis_cluster::User;
use portcullis_cluster::etcd::Etcd;
use portcullis_relocation::moments::{Moment, Who};
use tokio::runtime::Runtime;

use self::clients::{Scene, Writer, pod};
use self::history::{History, MAPS};
use super::{Stage, kubectl};
use crate::policies::client;
use crate::support::{Chance, cluster, seed};

/// Two clients.
mod clients;
/// Commands that are killed.
mod commands;
/// What etcd had.
mod history;
/// What clients were told.
mod journal;
/// Whether what is wrong is seen.
mod seen;

/// Kills in CI: each moment once, and some more; and when all is asked for.
const KILLS: usize = 36;
const ALL_KILLS: usize = 1_000;
/// For how many rounds the same ConfigMaps are written: who sends many values
/// for one key is taken to be guessing.
const GENERATION: usize = 3;
/// How many ConfigMaps at once.
const WIDTH: usize = 3;
/// How long a moment may take to come.
const PATIENCE: Duration = Duration::from_secs(12);
/// A start of who serves, and what is done then.
const START: Duration = Duration::from_secs(2);
/// How long things may take to be right again after a kill.
const SETTLES: Duration = Duration::from_secs(30);
/// What nobody names is kept for an hour; here, with the clock put forward,
/// longer than any request that is under way.
const KEPT: &str = "3585";
/// For no time at all.
const NOT_KEPT: &str = "3605";
const SECONDS_AHEAD: &str = "PORTCULLIS_SECONDS_AHEAD";
const REPLICAS: [&str; 2] = ["replica-0", "replica-1"];
const SERVES: &str = "serves";

fn kills() -> usize {
    let asked = std::env::var("PORTCULLIS_KILLS").ok();
    let asked = asked.map(|text| text.parse().expect("PORTCULLIS_KILLS is a number"));
    asked.unwrap_or(match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => ALL_KILLS,
        None => KILLS,
    })
}

/// The moments of who serves or answers, each as often as the others, in an
/// order that is chance's.
fn order(number: usize, chance: &mut Chance) -> Vec<Moment> {
    let of_servers = |moment: &&Moment| moment.who() != Who::Command;
    let mut order = Vec::new();
    while order.len() < number {
        let mut all: Vec<Moment> = Moment::ALL.iter().filter(of_servers).copied().collect();
        for last in (1..all.len()).rev() {
            all.swap(last, chance.below(last + 1));
        }
        order.append(&mut all);
    }
    order.truncate(number);
    // What is collected has to be there first.
    let early = order.len() / 3;
    let is_collection = |moment: &Moment| moment.name().starts_with("collect");
    for at in 0..early {
        if is_collection(&order[at])
            && let Some(other) = (early..order.len()).find(|other| !is_collection(&order[*other]))
        {
            order.swap(at, other);
        }
    }
    order
}

/// All that a run has.
struct Run {
    stage: Stage,
    runtime: Runtime,
    admin: Client,
    scene: Arc<Scene>,
    etcd: Etcd,
    history: History,
    chance: Chance,
    writers: Vec<Writer>,
    killed: BTreeMap<&'static str, usize>,
    missed: Vec<&'static str>,
}

impl Run {
    fn new() -> Run {
        let number = seed();
        let mut chance = Chance::new(number);
        let mut stage = Stage::new();
        let namespace = stage.enrolled("kills");
        let runtime = Runtime::new().expect("a runtime");
        grant(&namespace);
        let [admin, dev] = [User::Admin, User::Dev].map(|user| runtime.block_on(client(user)));
        let word = format!("{:06x}", chance.below(1 << 24));
        let marks = [format!("kX9q{word}"), format!("dRy7{word}")];
        let mut history = History::new(&namespace, &marks[0], &marks[1]);
        let scene = Arc::new(Scene {
            namespace,
            marks,
            journal: Default::default(),
            ends: Default::default(),
        });
        let (etcd, there) = cluster().etcd().expect("etcd answers");
        history.take(&there, &scene.journal());
        history.guard();
        let serving = stage.serving.as_mut().expect("it runs");
        serving
            .restart(&[(SECONDS_AHEAD, KEPT)])
            .expect("it starts");
        let writers = [&admin, &dev].map(|client| {
            let seed = chance.below(1 << 30) as u64;
            Writer::new(client, &scene, seed)
        });
        Run {
            stage,
            runtime,
            admin,
            scene,
            etcd,
            history,
            chance,
            writers: writers.into(),
            killed: BTreeMap::new(),
            missed: Vec::new(),
        }
    }

    /// One kill, while both clients write; then all has to be right.
    fn round(&mut self, number: usize, moment: Moment, is_last: bool) {
        let generation = number / GENERATION;
        let maps: Vec<String> = (0..WIDTH)
            .map(|one| format!("{MAPS}{generation}-{one}"))
            .collect();
        self.scene.ends.store(false, Ordering::SeqCst);
        let tasks: Vec<_> = self
            .writers
            .drain(..)
            .map(|mut writer| {
                let maps = maps.clone();
                self.runtime.spawn(async move {
                    writer.run(&maps).await;
                    writer
                })
            })
            .collect();
        let nth = match moment.name().starts_with("collect") {
            true => 1,
            false => 1 + self.chance.below(3),
        };
        match self.kill(moment, nth) {
            true => *self.killed.entry(moment.name()).or_default() += 1,
            false => self.missed.push(moment.name()),
        }
        self.scene.ends.store(true, Ordering::SeqCst);
        for task in tasks {
            self.writers
                .push(self.runtime.block_on(task).expect("it ends"));
        }
        self.settle(&maps, moment);
        if (number + 1).is_multiple_of(GENERATION) && !is_last {
            self.retire(&maps);
        }
    }

    /// Whether who comes to this moment was killed in it, and runs again.
    fn kill(&mut self, moment: Moment, nth: usize) -> bool {
        // The API server keeps its connections, so that nobody knows which
        // replica it asks: whichever comes first. Perhaps both do.
        let names: &[&str] = match moment.who() {
            Who::Webhook => &REPLICAS,
            _ => &[SERVES],
        };
        let files: Vec<PathBuf> = names.iter().map(|name| self.stop_file(name)).collect();
        for file in &files {
            std::fs::write(file, format!("{} {nth}", moment.name())).expect("a file");
        }
        let is_collection = moment.name().starts_with("collect");
        let until = Instant::now() + PATIENCE;
        let is_armed = || files.iter().all(|file| file.exists());
        while is_armed() && Instant::now() < until {
            if is_collection {
                // Which is done when it starts, and once a minute.
                self.serve(KEPT);
                let until = Instant::now() + START;
                while is_armed() && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let both = names.iter().zip(&files);
        let killed = both.filter(|(_, file)| std::fs::remove_file(file).is_err());
        let killed: Vec<&str> = killed.map(|(name, _)| *name).collect();
        for name in &killed {
            match *name == SERVES {
                true => self.serve(KEPT),
                false => self.stage.restart(name),
            }
        }
        !killed.is_empty()
    }

    fn stop_file(&self, name: &str) -> PathBuf {
        match (name == SERVES, &self.stage.serving) {
            (true, Some(serving)) => serving.stop_file(),
            _ => self.stage.installation.stop_file(name),
        }
    }

    /// Starts the one that serves again, with its clock put forward.
    fn serve(&mut self, seconds: &str) {
        let serving = self.stage.serving.as_mut().expect("it is there");
        let started = serving.restart(&[(SECONDS_AHEAD, seconds)]);
        started.expect("it starts");
    }

    /// Waits until all is as it has to be, and fails if it never is, or if
    /// anything was otherwise meanwhile.
    fn settle(&mut self, maps: &[String], moment: Moment) {
        let until = Instant::now() + SETTLES;
        loop {
            let events = self.etcd.catch_up().expect("etcd tells");
            let journal = self.scene.journal();
            self.history.take(&events, &journal);
            let late = self.history.unsettled();
            if late.is_empty() || Instant::now() > until {
                self.history.judge(&journal);
                drop(journal);
                assert!(
                    late.is_empty(),
                    "after {}: {late:#?}{}",
                    moment.name(),
                    self.logs()
                );
                break;
            }
            drop(journal);
            std::thread::sleep(Duration::from_millis(10));
        }
        for gone in self.history.forget() {
            self.scene.journal().forget(&gone);
        }
        let wrong = self.history.wrong();
        assert!(
            wrong.is_empty(),
            "after {}: {wrong:#?}{}",
            moment.name(),
            self.logs()
        );
        self.starts(&maps[0]);
    }

    /// New pods come again.
    fn starts(&self, map: &str) {
        let pods: Api<Pod> = Api::namespaced(self.admin.clone(), &self.scene.namespace);
        let pod: Pod = serde_json::from_value(pod(map)).expect("a pod");
        let until = Instant::now() + SETTLES;
        let made = loop {
            match self
                .runtime
                .block_on(pods.create(&PostParams::default(), &pod))
            {
                Ok(made) => break made,
                Err(error) => assert!(Instant::now() < until, "no pod: {error}"),
            }
        };
        let name = made.metadata.name.unwrap_or_default();
        let at_once = DeleteParams::default().grace_period(0);
        let deleted = self.runtime.block_on(pods.delete(&name, &at_once));
        deleted.expect("deleted");
    }

    /// These ConfigMaps go, and what was known of them.
    fn retire(&mut self, maps: &[String]) {
        let mut delete = vec!["delete", "configmap", "--ignore-not-found", "--wait=false"];
        delete.extend(maps.iter().map(String::as_str));
        kubectl(&self.scene.namespace, &delete, "")
            .ok()
            .expect("deleted");
        self.history.retire(maps);
    }

    /// I5: in the end nothing is left that nobody names.
    fn clear(&mut self) {
        // Whatever was written in this second is an hour old after that.
        std::thread::sleep(Duration::from_secs(1));
        self.serve(NOT_KEPT);
        let until = Instant::now() + SETTLES;
        loop {
            let events = self.etcd.catch_up().expect("etcd tells");
            self.history.take(&events, &self.scene.journal());
            let orphans = self.history.orphans();
            let late = self.history.unsettled();
            if orphans.is_empty() && late.is_empty() {
                break;
            }
            assert!(
                Instant::now() < until,
                "I5: {orphans:#?} {late:#?}{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let wrong = self.history.wrong();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    fn logs(&self) -> String {
        let serving = self.stage.serving.as_ref().map(|serving| serving.log());
        let all = self.stage.installation.log() + &serving.unwrap_or_default();
        let lines: Vec<&str> = all.lines().filter(|line| !line.contains("TRACE")).collect();
        format!("\n{}", lines[lines.len().saturating_sub(60)..].join("\n"))
    }
}

/// `dev` may edit what is there; and there is a Secret of somebody else.
fn grant(namespace: &str) {
    let bind = [
        "create",
        "rolebinding",
        "devs",
        "--clusterrole=edit",
        "--group=devs",
    ];
    kubectl(namespace, &bind, "").ok().expect("a right");
    for name in ["others", "portcullis"] {
        let create = [
            "create",
            "secret",
            "generic",
            name,
            "--from-literal=PASSWORD=theirs",
        ];
        kubectl(namespace, &create, "").ok().expect("a Secret");
    }
    let label = [
        "label",
        "secret",
        "portcullis",
        "portcullis.dev/relocation=staged",
    ];
    kubectl(namespace, &label, "");
}

#[test]
fn whoever_is_killed_in_whatever_moment_nothing_is_lost() {
    let mut run = Run::new();
    let started = Instant::now();
    let order = order(kills(), &mut run.chance);
    for (number, moment) in order.iter().enumerate() {
        let began = Instant::now();
        run.round(number, *moment, number + 1 == order.len());
        eprintln!("{number}: {} {:?}", moment.name(), began.elapsed());
    }
    run.clear();
    let journal = run.scene.journal();
    let kills: usize = run.killed.values().sum();
    let (left, secrets) = run.history.secrets();
    eprintln!(
        "{kills} kills in {:?}: {journal}, {secrets} Secrets of ours ({left} left); missed {:?}",
        started.elapsed(),
        run.missed
    );
    drop(journal);
    let never = order
        .iter()
        .filter(|moment| !run.killed.contains_key(moment.name()));
    let never: Vec<_> = never.map(|moment| moment.name()).collect();
    assert!(never.is_empty(), "nobody came to {never:?}");
}
