//! The program: one function a command.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where results are printed"
)]

mod chosen;
mod examined;
mod installed;
mod judged;
mod live;
mod registering;
mod relocating;
mod serving;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Parser;
use portcullis::args::author::Form;
use portcullis::args::reach::Reach;
use portcullis::args::{Arguments, Command, Policy};
use portcullis::cluster::state::How;
use portcullis::wasm::Engine;
use portcullis::{author, cluster, page, registration, wasm};

use chosen::policy_set;

/// Requests become trees of small nodes, and a third of what they cost was
/// glibc's part in it (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Something could not be judged, or not be done at all.
const BROKEN: u8 = 2;

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            ExitCode::from(BROKEN)
        }
    }
}

/// The reader had enough (`portcullis check . | head`).
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn run(command: Command) -> Result<u8> {
    match command {
        Command::Check(arguments) => judged::check(&arguments),
        Command::Audit(arguments) => live::run(&arguments),
        Command::Review(arguments) => judged::review(&arguments),
        Command::Serve(arguments) => serving::serve(&arguments),
        Command::Policy(command) => run_policy(&command),
        Command::Explain(arguments) => print(&page::explain(
            &policy_set(&arguments.policies)?.1,
            &arguments.code,
        )?),
        Command::Certs(arguments) => registering::certs(&arguments),
        Command::WebhookConfig(arguments) => registering::webhook_config(&arguments),
        Command::Crd => print(&registration::yaml::documents(&cluster::crd::definitions())),
        Command::Pause(place) => registering::registered(&place, Some(How::Paused)),
        Command::Deregister(place) => registering::registered(&place, Some(How::Deregistered)),
        Command::Resume(place) => registering::registered(&place, None),
        Command::Doctor(arguments) => examined::doctor(&arguments),
        Command::Smoke(arguments) => examined::smoke(&arguments),
        Command::Network(arguments) => examined::network(&arguments),
        Command::Secrets(command) => relocating::secrets(&command),
        Command::Relocate(arguments) => relocating::relocate(&arguments),
        Command::CompilePolicy => Ok(wasm::answer_order().map(|()| 0)?),
    }
}

fn run_policy(command: &Policy) -> Result<u8> {
    let engine = || Engine::new().map(|engine| Arc::new(engine.with_children()));
    match command {
        Policy::List { policies } => print(&page::list(&policy_set(policies)?.1)),
        Policy::Show { name, policies } => print(&page::show(&policy_set(policies)?.1, name)?),
        Policy::New(arguments) => print(&author::new(arguments)?),
        Policy::Build(arguments) => print(&author::build(&engine()?, arguments)?),
        Policy::Trace(arguments) => print(&author::trace(&engine()?, arguments)?),
        Policy::Test(arguments) => {
            let tested = author::test(&engine()?, arguments)?;
            print(&tested.render())?;
            Ok(u8::from(!tested.passes()))
        }
        Policy::Inspect(arguments) => {
            let found = author::inspect(&engine()?, &arguments.file)?;
            match arguments.output {
                Form::Human => print(&found.render()),
                Form::Json => print(&found.json()?),
            }?;
            Ok(u8::from(found.refused.is_some()))
        }
    }
}

/// What a command waits for that speaks to a cluster, on this thread.
fn wait_for<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// A connection to the cluster that was typed.
async fn connect(reach: &Reach) -> Result<kube::Client> {
    cluster::connect_to(reach.kubeconfig.as_deref(), reach.context.as_deref()).await
}

/// Results go to standard output, without styles where no terminal reads them.
fn print(text: &str) -> Result<u8> {
    use std::io::Write;
    anstream::stdout().lock().write_all(text.as_bytes())?;
    Ok(0)
}
