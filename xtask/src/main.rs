//! `cargo xtask`: builds, runs, tests and lints the project.
//!
//! The front door for people and for CI alike: `.ci/run` calls nothing else.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command-line tool"
)]

mod bench;
mod build;
mod client;
mod cluster;
mod demo;
mod deploy;
mod docs;
mod documents;
mod image;
mod lint;
mod precompile;
mod server;
mod shell;
mod test;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask demo                 builds everything and judges real manifests over TLS
cargo xtask demo --cluster       the same with a real API server, kubelet and kubectl
cargo xtask cluster [OPTIONS]    such a cluster to play with; OPTIONS as of `portcullis serve`
cargo xtask build [--release]    the built-in policies, then the binary
cargo xtask image [--arch ARCH]  the container image, an OCI archive in target/image, and its SBOM
cargo xtask test [--fast|--full] every test; --fast leaves the slow groups out, --only GROUP runs one, --soak N sends N requests, --kills N kills N times while secrets are moved
cargo xtask bench [OPTIONS]      what a request costs (--output json, --seconds N, --rounds N, --debug)
cargo xtask bench --cluster      what Portcullis adds to the creation of a pod (--connections N: how many at once)
cargo xtask bench --effects      what moves of secrets and NetworkPolicies add to requests
cargo xtask instructions         what the host's part costs in instructions, against a baseline (--renew)
cargo xtask docs                 writes docs/policies
cargo xtask deploy               renders deploy/chart to what kubectl and kustomize apply
cargo xtask documents            runs every command of README.md and docs/writing-a-policy.md
cargo xtask lint                 format, clippy, documents, dependencies
";

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    match command {
        "bench" => bench::bench(rest),
        // Parts of `bench` that are processes of their own.
        bench::NOOP => bench::noop(rest),
        bench::LOAD => bench::load(rest),
        bench::HOT => bench::hot(rest),
        "instructions" => bench::instructions(rest),
        "build" => build::all(rest),
        "demo" => demo::demo(rest),
        "image" => image::image(rest),
        "deploy" => deploy::deploy(rest),
        "docs" => docs::docs(rest),
        "cluster" => cluster::play(rest),
        "test" => test::test(rest),
        "documents" => documents::run_commands(),
        "lint" => lint::lint(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("there is no command `{other}`:\n{HELP}"),
    }
}
