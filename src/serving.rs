//! `serve`: from what was typed to a server that runs.

use std::sync::Arc;

use anyhow::{Context, Result};
use portcullis::admit::guard::Guarding;
use portcullis::admit::verdicts::{self, Verdicts};
use portcullis::args;
use portcullis::cluster::run::Policies;
use portcullis::cluster::writes::Writes;
use portcullis::load::taker::Prepare;
use portcullis::pack::Profile;
use portcullis::policy::PolicyName;
use portcullis::server::{Options, Server, Signals, Source};
use portcullis::telemetry::{self, Metrics};
use portcullis::wasm::Engine;
use portcullis::webhook::Webhook;

use crate::BROKEN;
use crate::chosen::{PACK, engine, excluded, watched};
use crate::installed::{self, Installed};
use crate::relocating;

pub(crate) fn serve(arguments: &args::Serve) -> Result<u8> {
    let logging = &arguments.logging;
    telemetry::init(logging.log_format, &logging.log)?;
    // Before anything else may fail: a second signal always ends the process.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(cores);
    let metrics = Arc::new(Metrics::default());
    let engine = Arc::new(engine(&arguments.policies)?);
    let prepare = preparing(threads, arguments.verdict_cache, &metrics);
    let certificate = installed::certificate_source(arguments);
    let webhook = |set| Webhook::new(set, threads, Arc::clone(&metrics));
    let files = |prepare| -> Result<_> {
        let watch = watched(&engine, &arguments.policies, prepare)?;
        let set = Arc::clone(watch.set());
        watch.run(arguments.policies_poll, Arc::clone(&metrics))?;
        Ok(set)
    };
    if !arguments.cluster.enabled {
        let webhook = webhook(files(prepare)?)?;
        let run = run(
            options(arguments, certificate),
            &engine,
            webhook,
            metrics,
            None,
        );
        return runtime.block_on(run);
    }
    runtime.block_on(async {
        let installed = Installed::connect(arguments, &certificate, &engine, &metrics).await?;
        let (webhook, writes) = if arguments.policies.are_of_files() {
            let set = files(prepare)?;
            (webhook(Arc::clone(&set))?, installed.writes_for(set))
        } else {
            let policies = of_cluster(arguments, &engine, prepare, &metrics)?;
            let (running, writes) = installed.run(policies);
            let webhook = webhook(running.set)?.within(running.surroundings);
            (webhook, writes)
        };
        let options = options(arguments, certificate);
        let metrics = Arc::clone(&metrics);
        run(options, &engine, webhook, metrics, Some(writes)).await
    })
}

fn of_cluster(
    arguments: &args::Serve,
    engine: &Arc<Engine>,
    prepare: Prepare,
    metrics: &Arc<Metrics>,
) -> Result<Policies> {
    let profile = installed::base(&arguments.policies).unwrap_or(Profile::None);
    Ok(Policies {
        pack: PACK,
        base: installed::policies(&arguments.cluster, profile)?,
        engine: Arc::clone(engine),
        prepare,
        excluded_namespaces: excluded(&arguments.policies),
        restorers: relocating::restorers(arguments),
        metrics: Arc::clone(metrics),
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

async fn run(
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
