//! `cargo xtask bench`: what a request costs, beside what it costs to answer
//! one without a look.
//!
//! The no-op server and ours run at once and are measured in turns, each by a
//! load generator in a process of its own, over TLS with kept connections,
//! HTTP/1.1. Requests differ in name, uid and a label. The verdict cache is
//! off but in the rows that say so.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::build;
use crate::server::{self, Server};
use crate::shell::{cargo, root, run};
use crate::test;
use body::Payload;
use options::Options;
use policies::Judged;
use target::{Lane, Measured, Target};

mod body;
mod check;
mod cluster;
mod guest;
mod instructions;
mod load;
mod noop;
mod options;
mod parts;
mod policies;
mod process;
mod start;
mod table;
mod target;

pub(crate) use instructions::{HOT, hot, instructions};
pub(crate) use load::load;
pub(crate) use noop::noop;

/// The hidden command of the no-op server.
pub(crate) const NOOP: &str = "bench-noop";
/// The hidden command of the load generator.
pub(crate) const LOAD: &str = "bench-load";

/// Policies of the rows, and whether the verdict cache is on.
const ROWS: [(usize, bool); 7] = [
    (0, false),
    (1, false),
    (4, false),
    (16, false),
    (20, false),
    (1, true),
    (16, true),
];

/// Builds what is measured as a release is, then measures.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    if options.debug && options.effects {
        return test::costs(&portcullis("debug")?);
    }
    if options.debug || options.built {
        return measure(&options);
    }
    let mut build = cargo(&["build", "--release"]);
    build::released(&mut build);
    run(build.args(["--package", "portcullis", "--package", "xtask"]))?;
    if options.effects {
        return test::costs(&portcullis("release")?);
    }
    let measuring = server::target().join("release/xtask");
    run(Command::new(measuring)
        .arg("bench")
        .arg("--built")
        .args(arguments))
}

/// What is measured, and where it may write.
pub(crate) struct Bench<'a> {
    options: &'a Options,
    portcullis: PathBuf,
    folder: PathBuf,
}

fn measure(options: &Options) -> Result<()> {
    let build = if options.debug { "debug" } else { "release" };
    let bench = Bench {
        options,
        portcullis: portcullis(build)?,
        folder: root().join(format!("target/bench-{}", std::process::id())),
    };
    let (mut report, render): (Value, fn(&Value) -> String) = if options.cluster {
        let report = cluster::measure(options, &bench.portcullis)?;
        (report, cluster::render)
    } else {
        (bench.in_folder()?, table::render)
    };
    report["build"] = build.into();
    report["command"] = command().into();
    if options.json {
        println!("{report:#}");
    } else {
        print!("{}", render(&report));
    }
    Ok(())
}

/// The executable of a build.
fn portcullis(build: &str) -> Result<PathBuf> {
    let path = server::target().join(build).join("portcullis");
    ensure!(
        path.is_file(),
        "{} is not there: run `cargo xtask build`",
        path.display()
    );
    Ok(path)
}

/// What was typed.
fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!(
        "cargo xtask {}",
        arguments.join(" ").replace(" --built", "")
    )
}

impl Bench<'_> {
    /// Everything, with a folder to write to.
    fn in_folder(&self) -> Result<Value> {
        std::fs::create_dir_all(&self.folder).context("target/ cannot be written to")?;
        let report = self.all();
        std::fs::remove_dir_all(&self.folder)?;
        report
    }

    fn all(&self) -> Result<Value> {
        let machine = process::machine()?;
        let workloads = [body::pod()?, body::deployment()?];
        let mut requests = self.requests(Judged::Workloads, &workloads)?;
        requests.extend(self.requests(Judged::ConfigMaps, &[body::config_map()?])?);
        let parts = parts::measure(self.options, &[body::pod()?, body::deployment()?])?;
        Ok(json!({
            "schema": 1, "machine": machine,
            "seconds": self.options.round.as_secs_f64(), "rounds": self.options.rounds,
            "connections": self.options.connections,
            "requests": requests, "start": self.starts()?, "parts": parts,
            "check": self.checks()?,
        }))
    }

    /// Every row of these payloads.
    fn requests(&self, judged: Judged, payloads: &[Payload]) -> Result<Vec<Value>> {
        let targets = self.targets(judged)?;
        let mut rows = Vec::new();
        for payload in payloads {
            let bytes = payload.bytes();
            let body = self.folder.join("body.json");
            std::fs::write(&body, &bytes)?;
            let mut lanes = targets
                .iter()
                .map(|target| Lane::new(target, &body, self.options))
                .collect::<Result<Vec<_>>>()?;
            for _ in 0..self.options.rounds {
                for lane in &mut lanes {
                    lane.round(self.options)?;
                }
            }
            let noop = lanes.first().map(Lane::median).unwrap_or_default();
            for (target, lane) in targets.iter().zip(&lanes) {
                rows.push(row(
                    payload,
                    bytes.len(),
                    &target.name,
                    lane.median(),
                    &noop,
                ));
            }
        }
        Ok(rows)
    }

    /// The no-op server, then ours, one for every row.
    fn targets(&self, judged: Judged) -> Result<Vec<Target>> {
        let mut noop = Command::new(std::env::current_exe()?);
        noop.arg(NOOP);
        let mut targets = vec![Target {
            name: "no-op server".into(),
            server: Server::of(noop, &self.portcullis, &[])?,
        }];
        for (count, cached) in ROWS {
            let folder = policies::write(&self.folder, judged, count)?;
            let cache = if cached { "8MiB" } else { "off" };
            let suffix = if cached { ", verdict cache" } else { "" };
            targets.push(Target {
                name: counted(count) + suffix,
                server: self.serve(&folder, &["--verdict-cache", cache])?,
            });
        }
        Ok(targets)
    }

    /// Our server with the policies of a folder.
    fn serve(&self, policies: &Path, more: &[&str]) -> Result<Server> {
        let code = self.folder.join("code").display().to_string();
        let policies = policies.display().to_string();
        let mut arguments = vec!["--profile", "none", "--policies", &policies];
        if !more.contains(&"--code-cache") {
            arguments.extend(["--code-cache", &code]);
        }
        arguments.extend(more);
        let mut serve = Command::new(&self.portcullis);
        serve.arg("serve");
        Server::of(serve, &self.portcullis, &arguments)
    }
}

fn counted(policies: usize) -> String {
    match policies {
        1 => "1 policy".into(),
        number => format!("{number} policies"),
    }
}

fn row(payload: &Payload, bytes: usize, name: &str, row: Measured, noop: &Measured) -> Value {
    let mut figures = row.json(noop);
    figures["payload"] = payload.name.into();
    figures["bytes"] = bytes.into();
    figures["server"] = name.into();
    figures
}
