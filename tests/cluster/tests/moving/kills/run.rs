//! A run: a kill while both clients write, then all has to be right; again and
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use portcullis_cluster::User;
use portcullis_cluster::etcd::Etcd;
use portcullis_relocation::moments::Moment;
use tokio::runtime::Runtime;

use super::clients::{Scene, Writer, pod};
use super::history::{History, MAPS};
use super::is_collection;
use super::victims::Victims;
use crate::moving::{Stage, kubectl};
use crate::policies::client;
use crate::support::{Chance, cluster};

/// For how many rounds the same ConfigMaps are written: who sends many values
/// for one key is taken to be guessing.
const GENERATION: usize = 3;
/// How many ConfigMaps at once.
const WIDTH: usize = 3;
/// How often a moment may come before somebody is killed in it.
const MOST_TIMES: usize = 3;
/// How long things may take to be right again after a kill.
const SETTLES: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// Lines of a log that a failure shows.
const SHOWN: usize = 60;

/// All that it has.
pub(super) struct Run {
    victims: Victims,
    runtime: Runtime,
    admin: Client,
    scene: Arc<Scene>,
    etcd: Etcd,
    history: History,
    chance: Chance,
    writers: Vec<Writer>,
    /// The ConfigMaps that are written.
    maps: Vec<String>,
    rounds: usize,
    killed: BTreeMap<Option<Moment>, usize>,
    missed: Vec<Option<Moment>>,
}

impl Run {
    pub(super) fn new(mut chance: Chance) -> Run {
        let mut stage = Stage::new();
        let namespace = stage.enrolled("kills");
        grant(&namespace);
        let runtime = Runtime::new().expect("a runtime");
        let [admin, dev] = [User::Admin, User::Dev].map(|user| runtime.block_on(client(user)));
        let word = format!("{:06x}", chance.below(1 << 24));
        let marks = [format!("kX9q{word}"), format!("dRy7{word}")];
        let mut history = History::new(&namespace, &marks[0], &marks[1]);
        let scene = Arc::new(Scene::new(namespace, marks));
        let (etcd, there) = cluster().etcd().expect("etcd answers");
        history.take(&there, &scene.journal());
        history.guard();
        let writers = [&admin, &dev].map(|client| {
            let seed = u64::try_from(chance.below(1 << 30)).expect("a number");
            Writer::new(client, &scene, seed)
        });
        Run {
            victims: Victims::new(stage),
            runtime,
            admin,
            scene,
            etcd,
            history,
            chance,
            writers: writers.into(),
            maps: Vec::new(),
            rounds: 0,
            killed: BTreeMap::new(),
            missed: Vec::new(),
        }
    }

    /// Has two processes serve from now on.
    pub(super) fn serve_twice(&mut self) {
        self.victims.serve_twice();
    }

    /// Those of these moments in which nobody was killed.
    pub(super) fn missing(&self, moments: &[Option<Moment>]) -> BTreeSet<Option<Moment>> {
        let moments = moments.iter().copied();
        moments
            .filter(|one| !self.killed.contains_key(one))
            .collect()
    }

    /// What was done, in one line.
    pub(super) fn told(&self) -> String {
        let kills: usize = self.killed.values().sum();
        let (left, secrets) = self.history.secrets();
        let journal = self.scene.journal();
        let missed = &self.missed;
        format!(
            "{kills} kills, {secrets} Secrets of ours ({left} left), missed {missed:?}\n{journal}"
        )
    }

    /// One kill, while both clients write; then all has to be right.
    pub(super) fn round(&mut self, moment: Option<Moment>) {
        let number = self.rounds;
        self.rounds += 1;
        if number.is_multiple_of(GENERATION) {
            self.next_generation(number / GENERATION);
        }
        let began = Instant::now();
        self.scene.ends.store(false, Ordering::SeqCst);
        let writers: Vec<Writer> = self.writers.drain(..).collect();
        let tasks: Vec<_> = writers
            .into_iter()
            .map(|writer| self.write(writer))
            .collect();
        let was_killed = self.kill(moment);
        self.scene.ends.store(true, Ordering::SeqCst);
        for task in tasks {
            let writer = self.runtime.block_on(task);
            self.writers.push(writer.expect("it ends well"));
        }
        match was_killed {
            true => *self.killed.entry(moment).or_default() += 1,
            false => self.missed.push(moment),
        }
        self.settle(&format!("{number}, after {moment:?}"));
        self.starts();
        eprintln!("{number}: {moment:?} {} ms", began.elapsed().as_millis());
    }

    fn write(&self, mut writer: Writer) -> tokio::task::JoinHandle<Writer> {
        let maps = self.maps.clone();
        self.runtime.spawn(async move {
            writer.run(&maps).await;
            writer
        })
    }

    fn kill(&mut self, moment: Option<Moment>) -> bool {
        let Some(moment) = moment else {
            self.victims.kill_any(&mut self.chance);
            return true;
        };
        let nth = match is_collection(Some(moment)) {
            true => 1,
            false => 1 + self.chance.below(MOST_TIMES),
        };
        self.victims.kill_in(moment, nth)
    }

    /// Other ConfigMaps; those before go, and what was known of them.
    fn next_generation(&mut self, number: usize) {
        let maps = (0..WIDTH).map(|one| format!("{MAPS}{number}-{one}"));
        let maps = std::mem::replace(&mut self.maps, maps.collect());
        if !maps.is_empty() {
            let mut delete = vec!["delete", "configmap", "--ignore-not-found", "--wait=false"];
            delete.extend(maps.iter().map(String::as_str));
            let deleted = kubectl(&self.scene.namespace, &delete, "");
            deleted.ok().expect("deleted");
        }
        self.history.retire(&maps);
    }

    /// Waits until all is as it has to be, and fails if it never is, or if
    /// anything was otherwise meanwhile.
    fn settle(&mut self, when: &str) {
        self.wait(when, |history| history.unsettled());
        self.history.judge(&self.scene.journal());
        for gone in self.history.forget() {
            self.scene.journal().forget(&gone);
        }
        let wrong = self.history.wrong();
        assert!(wrong.is_empty(), "{}{when}: {wrong:#?}", self.logs());
    }

    /// Follows what etcd has until nothing is late.
    fn wait(&mut self, when: &str, late: impl Fn(&History) -> Vec<String>) {
        let until = Instant::now() + SETTLES;
        loop {
            let events = self.etcd.catch_up().expect("etcd tells");
            self.history.take(&events, &self.scene.journal());
            let late = late(&self.history);
            if late.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "{}{when}: {late:#?}", self.logs());
            std::thread::sleep(LOOK);
        }
    }

    /// New pods come again.
    fn starts(&self) {
        let pods: Api<Pod> = Api::namespaced(self.admin.clone(), &self.scene.namespace);
        let pod: Pod = serde_json::from_value(pod(&self.maps[0])).expect("a pod");
        let (until, parameters) = (Instant::now() + SETTLES, PostParams::default());
        let name = loop {
            let made = pods.create(&parameters, &pod);
            match self.runtime.block_on(made) {
                Ok(made) => break made.metadata.name.unwrap_or_default(),
                Err(error) => assert!(Instant::now() < until, "no pod: {error}"),
            }
            std::thread::sleep(LOOK);
        };
        let at_once = DeleteParams::default().grace_period(0);
        let deleted = self.runtime.block_on(pods.delete(&name, &at_once));
        deleted.expect("deleted");
    }

    /// I5: in the end nothing is left that nobody names.
    pub(super) fn clear(&mut self) {
        // Whatever was written in this second is an hour old after that.
        std::thread::sleep(Duration::from_secs(1));
        self.victims.clear();
        self.wait("I5", |history| {
            let mut late = history.unsettled();
            late.extend(history.orphans());
            late
        });
        self.settle("I5");
    }

    fn logs(&self) -> String {
        let all = self.victims.log();
        let lines: Vec<&str> = all.lines().filter(|line| !line.contains("TRACE")).collect();
        let first = lines.len().saturating_sub(SHOWN);
        format!("\n{}\n", lines[first..].join("\n"))
    }
}

/// `dev` may edit what is there; and there are Secrets of somebody else.
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
}
