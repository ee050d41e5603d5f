//! `portcullis check`: the webhook without a cluster.
//!
//! Files become the requests that a CREATE of each object would be, and go
//! through `admit` as in the webhook. Knows files and findings; decides
//! nothing.

mod excerpt;
mod exemptions;
mod input;
mod judge;
mod lacking;
mod world;

use std::sync::Arc;

pub use exemptions::Trust;
pub use input::{Input, STDIN};

use crate::finding::{Failure, Report, Skipped};
use crate::fix;
use crate::policy::PolicySet;
use crate::policy::lookup::Inventory;
use crate::progress::Progress;
use world::World;

/// Judges everything that `inputs` hold, on as many threads as there are
/// cores. Warnings of the reader (a key that stands twice) go to `warn`.
pub fn check(set: &PolicySet, inputs: &[Input], warn: impl FnMut(String)) -> Report {
    check_as(set, inputs, Wish::default(), warn)
}

/// What is asked of a check besides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    /// Whether exemptions among the inputs count.
    pub trust: Trust,
    /// Whether what to write instead of a secret is told.
    pub fixes: bool,
}

/// [`check`], as is wished.
pub fn check_as(
    set: &PolicySet,
    inputs: &[Input],
    wish: Wish,
    mut warn: impl FnMut(String),
) -> Report {
    let read = input::read(inputs);
    let mut report = Report {
        failures: read.failures,
        ..Report::default()
    };
    report.failures.extend(policy_failures(set));
    let mut objects = Vec::new();
    for file in read.files {
        objects.extend(given(file, &mut report, &mut warn));
    }
    let exempting = exemptions::of(set, &objects, wish.trust).for_files();
    judge_all(&exempting, &objects, wish, &mut report);
    if wish.fixes {
        let uses = objects.iter();
        let uses = uses.flat_map(|given| fix::uses(&given.object.value));
        report.complete_fixes(&uses.collect::<Vec<_>>());
    }
    exemptions::settle(&mut report, &exempting, &objects);
    report.finish(report.judged.len());
    report
}

/// The objects of a file; what is wrong with it is told.
fn given(
    file: input::File,
    report: &mut Report,
    warn: &mut impl FnMut(String),
) -> Vec<judge::Given> {
    let (name, stream) = (file.name, file.stream);
    let broken = stream.broken.iter();
    let broken = broken.map(|broken| broken_document(&name, broken));
    report.failures.extend(broken);
    let skipped = stream.skipped.iter().map(|skipped| Skipped {
        file: name.to_string(),
        document: skipped.document,
        line: skipped.line,
        code: skipped.skip.code().to_owned(),
    });
    report.skipped.extend(skipped);
    for warning in &stream.warnings {
        let (line, column) = (warning.position.line, warning.position.column);
        warn(format!("{name}:{line}:{column}: {}", warning.message));
    }
    let take = |object| judge::Given {
        file: Arc::clone(&name),
        object,
    };
    stream.objects.into_iter().map(take).collect()
}

fn judge_all(set: &PolicySet, objects: &[judge::Given], wish: Wish, report: &mut Report) {
    let values = objects.iter().map(|given| &given.object.value);
    let world = World::new(values, Inventory::new(set.views()));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = objects.len().div_ceil(threads).max(1);
    let progress = Progress::of(objects.len());
    let parts = std::thread::scope(|scope| {
        let (world, progress) = (&world, &progress);
        let judge = |part| {
            let judging = judge::Judging {
                set,
                world,
                fixes: wish.fixes,
            };
            scope.spawn(move || judging.judge(part, || progress.step()))
        };
        let running: Vec<_> = objects.chunks(share).map(judge).collect();
        // A panic of one part is one of all: nothing was judged for sure.
        running
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect::<Vec<_>>()
    });
    let mut lacking = Vec::new();
    for part in parts {
        match part {
            Ok(part) => {
                lacking.extend(part.lacking);
                report.judged.extend(part.judged);
                report.findings.extend(part.findings);
                report.changes.extend(part.changes);
                report.failures.extend(part.failures);
                report.skipped.extend(part.skipped);
            }
            Err(_) => report.failures.push(Failure {
                cause: "judging failed inside Portcullis: report this".into(),
                ..Failure::default()
            }),
        }
    }
    let found = lacking::settle(lacking, objects, &world);
    report.findings.extend(found);
}

/// Policies that could not be loaded are reported once, not by object.
pub(crate) fn policy_failures(set: &PolicySet) -> Vec<Failure> {
    let failing = set.policies().iter().filter_map(|policy| {
        let failure = policy.program.as_ref().err()?;
        let (policy, cause) = (Some(policy.name.to_string()), failure.message.clone());
        Some(Failure {
            policy,
            cause,
            ..Failure::default()
        })
    });
    failing.collect()
}

fn broken_document(file: &str, broken: &portcullis_manifest::Broken) -> Failure {
    Failure {
        file: Some(file.to_owned()),
        document: Some(broken.document),
        line: Some(broken.position.line),
        column: Some(broken.position.column),
        policy: None,
        cause: broken.message.clone(),
    }
}
