//! `cargo xtask`: builds, runs, tests and lints the project.

mod build;
mod shell;

use anyhow::{Result, bail};

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
        "build" => build::all(rest),
        other => bail!("there is no command `{other}`"),
    }
}
