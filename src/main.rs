//! The program: one function a command.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where results are printed"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Parser;
use portcullis::admit::guard::Guarding;
use portcullis::admit::verdicts::{self, Verdicts};
use portcullis::args::author::Form;
use portcullis::args::{self, Arguments, Command, Output, Policy};
use portcullis::check::{Input, check};
use portcullis::cluster::commands::{self, Installation};
use portcullis::cluster::state::How;
use portcullis::cluster::writes::Writes;
use portcullis::finding::baseline::Baseline;
use portcullis::finding::{Report, human, json, junit, sarif};
use portcullis::load::taker::Prepare;
use portcullis::load::watch::{Wanted, Watch};
use portcullis::pack::Pack;
use portcullis::policy::{PolicyName, PolicySet};
use portcullis::registration::target::{CaBundle, Target};
use portcullis::registration::{self, Registration};
use portcullis::server::{Options, Server, Signals, Source};
use portcullis::telemetry::{self, Metrics};
use portcullis::wasm::Engine;
use portcullis::wasm::cache::{self, Cache};
use portcullis::webhook::Webhook;
use portcullis::{admit, author, certs, cluster, load, page, replay, review, source, wasm};

/// Requests become trees of small nodes, and a third of what they cost was
/// glibc's part in it (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
use installed::Installed;

mod installed;
mod live;

include!(concat!(env!("OUT_DIR"), "/pack.rs"));

const PACK: Pack = Pack {
    programs: PROGRAMS,
    compiled: COMPILED,
    profiles: PROFILES,
};

const NO_POLICY: &str =
    "no policy is in force: name some with --policies, or a --profile of the pack";

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
        Command::Check(arguments) => run_check(&arguments),
        Command::Audit(arguments) => live::run(&arguments),
        Command::Review(arguments) => run_review(&arguments),
        Command::Serve(arguments) => run_serve(&arguments),
        Command::Policy(command) => run_policy(&command),
        Command::Explain(arguments) => print(&page::explain(
            &policy_set(&arguments.policies)?.1,
            &arguments.code,
        )?),
        Command::Certs(arguments) => run_certs(&arguments),
        Command::WebhookConfig(arguments) => run_webhook_config(&arguments),
        Command::Crd => print(&registration::yaml::documents(
            &[cluster::crd::definition()],
        )),
        Command::Pause(place) => registered(&place, Some(How::Paused)),
        Command::Deregister(place) => registered(&place, Some(How::Deregistered)),
        Command::Resume(place) => registered(&place, None),
        Command::CompilePolicy => Ok(wasm::answer_order().map(|()| 0)?),
    }
}

/// Results go to standard output, without styles where no terminal reads them.
fn print(text: &str) -> Result<u8> {
    use std::io::Write;
    anstream::stdout().lock().write_all(text.as_bytes())?;
    Ok(0)
}

fn policy_set(arguments: &args::Policies) -> Result<(Arc<Engine>, PolicySet)> {
    let found = source::policies(&PACK, arguments.profile(), &arguments.paths)?;
    if found.is_empty() {
        bail!(NO_POLICY);
    }
    let engine = engine(arguments)?.with_patience();
    let engine = Arc::new(engine);
    let set = load::load(&engine, &PACK, &found, excluded(arguments))?;
    // A server logged it.
    if let Some(problem) = engine.cache_problem()
        && !tracing::dispatcher::has_been_set()
    {
        anstream::eprintln!("warning: {problem}");
    }
    Ok((engine, set))
}

fn engine(arguments: &args::Policies) -> Result<Engine> {
    let cache = code_cache(arguments.code_cache.as_deref());
    let engine = Engine::new()?.with_children();
    Ok(engine.with_code(PACK.compiled, cache))
}

fn excluded(arguments: &args::Policies) -> BTreeSet<String> {
    arguments.excluded_namespaces.iter().cloned().collect()
}

/// Policies that are loaded again when their files change.
fn watched(engine: &Arc<Engine>, arguments: &args::Policies, prepare: Prepare) -> Result<Watch> {
    let wanted = Wanted {
        pack: PACK,
        profile: arguments.profile(),
        paths: arguments.paths.clone(),
        excluded_namespaces: excluded(arguments),
    };
    let watch = Watch::start(engine, wanted, prepare)?;
    if watch.set().load().policies().is_empty() {
        bail!(NO_POLICY);
    }
    Ok(watch)
}

/// The folder that was asked for, or the usual one. A cache only saves time,
/// and a container's file system is often read only: no folder is a reason to
/// judge nothing.
fn code_cache(asked: Option<&Path>) -> Option<Cache> {
    let folder = match asked {
        Some(folder) if folder.as_os_str() == "off" => return None,
        Some(folder) => folder.to_owned(),
        None => cache::usual_folder()?,
    };
    Some(Cache::open(&folder).unwrap_or_else(|error| Cache::unusable(&error)))
}

fn run_check(arguments: &args::Check) -> Result<u8> {
    let (_, set) = policy_set(&arguments.policies)?;
    let inputs: Vec<Input> = arguments
        .inputs
        .iter()
        .map(|input| input.as_str().into())
        .collect();
    let is_human = arguments.output == Output::Human;
    let warn = |line: String| {
        if is_human {
            anstream::eprintln!("warning: {line}");
        }
    };
    let mut report = check(&set, &inputs, warn);
    let known = apply_baseline(arguments, &mut report)?;
    let code = report.exit_code(arguments.fail_on, arguments.allow_broken);
    print(&match arguments.output {
        Output::Human => human::render(&report, arguments.show_audit),
        Output::Json => json::render(&report)?,
        Output::Sarif => {
            let folder = std::env::current_dir().context("the working directory")?;
            let run = sarif::Run {
                policies: &set,
                folder: &folder,
                exit_code: code,
            };
            sarif::render(&report, run)?
        }
        Output::Junit => junit::render(&report, arguments.fail_on),
    })?;
    if known > 0 {
        anstream::eprintln!("{known} findings of the baseline are not shown");
    }
    Ok(code)
}

/// Writes or subtracts a baseline; says how many findings are known.
fn apply_baseline(arguments: &args::Check, report: &mut Report) -> Result<usize> {
    if let Some(path) = &arguments.write_baseline {
        let baseline = Baseline::of(report);
        let text = baseline.render()?;
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
        return Ok(baseline.subtract(report));
    }
    let Some(path) = &arguments.baseline else {
        return Ok(0);
    };
    let text = std::fs::read(path).with_context(|| path.display().to_string())?;
    let baseline = Baseline::parse(&text).with_context(|| path.display().to_string())?;
    Ok(baseline.subtract(report))
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

fn run_review(arguments: &args::Review) -> Result<u8> {
    let body = replay::read(&arguments.file)?;
    let decoded = review::decode(&body).with_context(|| arguments.file.clone())?;
    let request = match decoded.request {
        Ok(request) => request,
        Err(problem) => return print_line(review::encode_refusal(&decoded.uid, &problem)),
    };
    let (_, set) = policy_set(&arguments.policies)?;
    let phase = if arguments.mutate {
        admit::Phase::Mutate
    } else {
        admit::Phase::Validate
    };
    let decision = replay::decide(&set, &request, phase);
    print_line(review::encode(&decoded.uid, &decision))
}

fn print_line(mut answer: Vec<u8>) -> Result<u8> {
    answer.push(b'\n');
    print(&String::from_utf8(answer).context("the answer is UTF-8")?)
}

fn run_certs(arguments: &args::Certs) -> Result<u8> {
    let made = certs::make(&arguments.names, time::OffsetDateTime::now_utc())?;
    certs::write(&arguments.folder, &made, arguments.force)?;
    let folder = arguments.folder.display();
    print(&format!(
        "{folder}/ca.crt and ca.key: the CA; ca.crt is the caBundle of a registration\n\
         {folder}/tls.crt and tls.key: the server, for {}\n",
        arguments.names.join(", ")
    ))
}

fn run_webhook_config(arguments: &args::WebhookConfig) -> Result<u8> {
    let file = &arguments.ca_file;
    let pem = std::fs::read(file)
        .with_context(|| format!("--ca-file {} cannot be read", file.display()))?;
    let selectors = arguments.namespace_selectors.iter();
    let registration = Registration {
        name: registration::name::Name::parse(&arguments.name)?,
        target: Target::new(arguments.url.as_deref(), arguments.service.as_deref())?,
        ca_bundle: Some(CaBundle::parse(&pem).with_context(|| file.display().to_string())?),
        namespaces: selectors
            .map(|text| registration::selector::parse(text))
            .collect::<Result<_, _>>()?,
        objects: vec![],
    };
    let (_, set) = policy_set(&arguments.policies)?;
    let configurations = registration.configurations(&set)?;
    print(&registration::yaml::documents(&configurations))
}

fn run_serve(arguments: &args::Serve) -> Result<u8> {
    telemetry::init(arguments.log_format, &arguments.log)?;
    // Before anything else may fail: a second signal always ends the process.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(cores);
    let metrics = Arc::new(Metrics::default());
    let engine = Arc::new(engine(&arguments.policies)?);
    let prepare = preparing(threads, arguments.verdict_cache, &metrics);
    let source = installed::source(arguments);
    let webhook = |set| Webhook::new(set, threads, Arc::clone(&metrics));
    let files = |prepare| -> Result<_> {
        let watch = watched(&engine, &arguments.policies, prepare)?;
        let set = Arc::clone(watch.set());
        watch.run(arguments.policies_poll, Arc::clone(&metrics))?;
        Ok(set)
    };
    if !arguments.cluster.enabled {
        let webhook = webhook(files(prepare)?)?;
        let serve = serve(options(arguments, source), &engine, webhook, metrics, None);
        return runtime.block_on(serve);
    }
    runtime.block_on(async {
        let installed = Installed::connect(arguments, &source, &metrics).await?;
        let (webhook, writes) = if arguments.policies.are_given() {
            let set = files(prepare)?;
            (webhook(Arc::clone(&set))?, installed.writes_for(set))
        } else {
            let policies = cluster::run::Policies {
                pack: PACK,
                engine: Arc::clone(&engine),
                prepare,
                excluded_namespaces: excluded(&arguments.policies),
                metrics: Arc::clone(&metrics),
            };
            let (running, writes) = installed.run(policies);
            let webhook = webhook(running.set)?.within(running.surroundings);
            (webhook, writes)
        };
        let options = options(arguments, source);
        serve(
            options,
            &engine,
            webhook,
            Arc::clone(&metrics),
            Some(writes),
        )
        .await
    })
}

/// No policy of a server holds up the others, and none is asked twice what it
/// said already: `cache` bytes of verdicts are kept.
fn preparing(threads: usize, cache: usize, metrics: &Arc<Metrics>) -> Prepare {
    let counted = Arc::clone(metrics);
    let on_suspension = move |policy: &PolicyName| {
        counted.suspension(policy.as_str());
        tracing::error!(%policy, "a policy hit its deadline again and again and is suspended");
    };
    let guarding = Guarding::new(threads, Arc::new(on_suspension));
    if cache == 0 {
        return Arc::new(move |policy| guarding.guard(policy));
    }
    let metrics = Arc::clone(metrics);
    let on_lookup = move |known| metrics.verdict_lookup(known);
    let verdicts = Arc::new(Verdicts::new(cache, on_lookup));
    Arc::new(move |policy| verdicts::remember(guarding.guard(policy), &verdicts))
}

/// Takes the registration away, or lets it come back.
fn registered(place: &args::cluster::Place, away: Option<How>) -> Result<u8> {
    let installation = Installation {
        namespace: cluster::Home::namespace(place.namespace.as_deref()),
        name: place.registration.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    print(&runtime.block_on(async {
        let client = cluster::connect(place.kubeconfig.as_deref()).await?;
        match away {
            Some(how) => commands::take_away(client, &installation, how).await,
            None => commands::resume(client, &installation).await,
        }
    })?)
}

fn options(arguments: &args::Serve, certificate: Source) -> Options {
    Options {
        client_ca: arguments.client_ca.clone(),
        http2: arguments.http2,
        tls_poll: arguments.tls_poll,
        drain_delay: arguments.drain_delay,
        drain_timeout: arguments.drain_timeout,
        ..Options::new(arguments.listen, arguments.metrics_listen, certificate)
    }
}

async fn serve(
    options: Options,
    engine: &Engine,
    webhook: Webhook,
    metrics: Arc<Metrics>,
    writes: Option<Writes>,
) -> Result<u8> {
    let mut signals = Signals::install().context("SIGTERM and SIGINT")?;
    let server = Server::bind(options, metrics).await?;
    let (https, plain) = server.addresses()?;
    tracing::info!(%https, %plain, guests = %engine, "serving");
    let (drain, draining) = tokio::sync::oneshot::channel();
    let run = server.run(Arc::new(webhook), async {
        // Whoever drops the other end has ended the process already.
        let _ = draining.await;
    });
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writing = writes.map(|writes| tokio::spawn(writes.run(stopped)));
    let second = async {
        let signal = signals.next().await;
        tracing::info!(signal, "draining");
        // Another replica may write while this one still serves.
        stop.send_replace(true);
        let _ = drain.send(());
        128 + signals.next().await
    };
    let all = async {
        run.await;
        if let Some(writing) = writing {
            let _ = writing.await;
        }
    };
    tokio::select! {
        () = all => Ok(0),
        code = second => {
            tracing::warn!("ended by a second signal");
            Ok(u8::try_from(code).unwrap_or(BROKEN))
        }
    }
}
