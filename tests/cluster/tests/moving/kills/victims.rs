//! Who is killed, and how.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use portcullis_cluster::installation::Serving;
use portcullis_relocation::moments::{Moment, Who};

use super::is_collection;
use crate::moving::Stage;
use crate::support::Chance;

/// How long a moment may take to come.
const PATIENCE: Duration = Duration::from_secs(12);
/// A start of who serves, and what is done then.
const START: Duration = Duration::from_secs(2);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(2);
/// A kill at any time comes within so many milliseconds.
const ANYTIME: usize = 400;
/// The variable that puts the clock of collection forward (src/failpoint.rs).
const SECONDS_AHEAD: &str = "PORTCULLIS_SECONDS_AHEAD";
/// What nobody names is kept for an hour; here, longer than any request that is
/// under way.
const KEPT: &str = "3580";
/// For no time at all.
const NOT_KEPT: &str = "3605";

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Replica(&'static str),
    Serving,
    SecondServing,
}

const REPLICAS: [Victim; 2] = [Victim::Replica("replica-0"), Victim::Replica("replica-1")];

/// All of them.
pub(super) struct Victims {
    // The second has to go before the namespaces of the stage.
    second: Option<Serving>,
    pub(super) stage: Stage,
}

impl Victims {
    pub(super) fn new(stage: Stage) -> Victims {
        let mut victims = Victims {
            stage,
            second: None,
        };
        victims.start(Victim::Serving, KEPT);
        victims
    }

    /// Has two processes serve from now on.
    pub(super) fn serve_twice(&mut self) {
        let second = self.stage.serve_too();
        self.second = Some(second);
        self.start(Victim::SecondServing, KEPT);
    }

    /// Has one serve, which keeps nothing that nobody names.
    pub(super) fn clear(&mut self) {
        self.second = None;
        self.start(Victim::Serving, NOT_KEPT);
    }

    /// What all have logged since they were started last.
    pub(super) fn log(&self) -> String {
        let serving = self.stage.serving.iter().chain(&self.second);
        let serving: String = serving.map(Serving::log).collect();
        self.stage.installation.log() + &serving
    }

    /// Whether who comes to this moment, for the nth time, was killed in it; it
    /// runs again.
    pub(super) fn kill_in(&mut self, moment: Moment, nth: usize) -> bool {
        // Nobody knows whom the API server asks, since it keeps its connections:
        // it is whoever comes first, and perhaps both are.
        let victims = match moment.who() {
            Who::Webhook => REPLICAS.to_vec(),
            _ => self.serving(),
        };
        let files: Vec<PathBuf> = victims.iter().map(|one| self.stop_file(*one)).collect();
        for file in &files {
            std::fs::write(file, format!("{} {nth}", moment.name())).expect("a file");
        }
        let are_armed = || files.iter().all(|file| file.exists());
        let until = Instant::now() + PATIENCE;
        while are_armed() && Instant::now() < until {
            if is_collection(Some(moment)) {
                // It is done at a start, and once a minute.
                self.start(victims[0], KEPT);
                let until = Instant::now() + START;
                while are_armed() && Instant::now() < until {
                    std::thread::sleep(LOOK);
                }
            }
            std::thread::sleep(LOOK);
        }
        let mut was_killed = false;
        for (victim, file) in victims.into_iter().zip(&files) {
            // Who ends takes the file away.
            if std::fs::remove_file(file).is_err() {
                was_killed = true;
                self.start(victim, KEPT);
            }
        }
        was_killed
    }

    /// Kills one of them, or all, whatever they are doing.
    pub(super) fn kill_any(&mut self, chance: &mut Chance) {
        let wait = u64::try_from(chance.below(ANYTIME)).expect("a number");
        std::thread::sleep(Duration::from_millis(wait));
        let mut all = [REPLICAS.to_vec(), self.serving()].concat();
        match chance.below(all.len() + 1) {
            0 => {}
            one => all = vec![all[one - 1]],
        }
        for victim in all {
            self.start(victim, KEPT);
        }
    }

    fn serving(&self) -> Vec<Victim> {
        match self.second {
            None => vec![Victim::Serving],
            Some(_) => vec![Victim::Serving, Victim::SecondServing],
        }
    }

    fn process(&mut self, victim: Victim) -> &mut Serving {
        let process = match victim {
            Victim::SecondServing => &mut self.second,
            _ => &mut self.stage.serving,
        };
        process.as_mut().expect("it is there")
    }

    fn stop_file(&mut self, victim: Victim) -> PathBuf {
        match victim {
            Victim::Replica(name) => self.stage.installation.stop_file(name),
            serving => self.process(serving).stop_file(),
        }
    }

    /// Kills it, if it runs, and starts it again.
    fn start(&mut self, victim: Victim, seconds: &str) {
        match victim {
            Victim::Replica(name) => self.stage.restart(name),
            serving => {
                let started = self.process(serving).restart(&[(SECONDS_AHEAD, seconds)]);
                started.expect("it starts");
            }
        }
    }
}
