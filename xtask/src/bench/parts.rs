//! The parts of a request, each alone on one thread.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use portcullis::policy::spec::Limits;
use portcullis::policy::{Attributes, Decision, Evaluate, patch};
use portcullis::review;
use portcullis::wasm::{Engine, Loaded};
use portcullis_contract::reads::{Outline, Reads};
use portcullis_contract::{Redaction, Request};
use serde_json::{Map, Value, json};

use super::body::Payload;
use super::options::Options;
use super::target::median;
use crate::shell::root;

/// Policies of the pack that are measured.
pub(super) const PROGRAMS: [&str; 3] = ["image-tags", "probes", "resources"];

/// Microseconds of each part, by payload.
pub(super) fn measure(options: &Options, payloads: &[Payload]) -> Result<Value> {
    let engine = Arc::new(Engine::new()?);
    let mut rows = Vec::new();
    for payload in payloads {
        let bytes = payload.bytes();
        let decoded = review::decode(&bytes)?;
        let request = decoded.request.map_err(|problem| anyhow!(problem))?;
        let mut row = |part: String, micros: f64| {
            rows.push(json!({"payload": payload.name, "part": part, "micros": micros}));
        };
        row("decode".into(), micros(options, || review::decode(&bytes)));
        for (part, outline) in [
            ("decode without managedFields", Outline::whole(false)),
            ("decode what is read", outline(&engine)?),
        ] {
            let decode = || review::decode_lean(&bytes, &outline);
            row(part.into(), micros(options, decode));
        }
        let admission = &request.admission;
        row(
            "attributes".into(),
            micros(options, || Attributes::parse(admission)),
        );
        row("patch".into(), patched(options, admission)?);
        let encode = || review::encode("u", &Decision::default());
        row("encode".into(), micros(options, encode));
        for name in PROGRAMS {
            let program = std::fs::read(program(name)).with_context(|| name.to_owned())?;
            let loaded = Loaded::new(&engine, &program)?;
            let reads = Reads::parse(loaded.description().reads.iter().map(String::as_str))?;
            let project = || {
                let request = Request::new(admission, &request.namespace);
                reads.project(&request, Redaction::Blank)
            };
            row(format!("projection, {name}"), micros(options, project));
            let (projection, policy) = (project(), loaded.program(&Map::new(), Limits::default())?);
            let evaluate = || policy.evaluate(&projection, Instant::now() + Duration::from_secs(1));
            evaluate()?;
            row(format!("evaluation, {name}"), micros(options, evaluate));
        }
    }
    Ok(rows.into())
}

/// What the policies that are measured look at.
fn outline(engine: &Arc<Engine>) -> Result<Outline> {
    let reads = PROGRAMS.into_iter().map(|name| {
        let program = std::fs::read(program(name)).with_context(|| name.to_owned())?;
        let loaded = Loaded::new(engine, &program)?;
        let reads = loaded.description().reads.iter().map(String::as_str);
        Ok(Reads::parse(reads)?)
    });
    let reads = reads.collect::<Result<Vec<_>>>()?;
    Ok(Outline::of(&reads))
}

fn program(name: &str) -> PathBuf {
    root().join(format!("target/policies/{name}.wasm"))
}

/// Finds the patch for two changed fields, and applies it.
fn patched(options: &Options, admission: &Map<String, Value>) -> Result<f64> {
    let object = &admission["object"];
    let mut changed = object.clone();
    changed["metadata"]["labels"]["added"] = "yes".into();
    let template = if object["spec"]["template"].is_object() {
        "/spec/template"
    } else {
        ""
    };
    let at = format!("{template}/spec/containers/0/imagePullPolicy");
    *changed.pointer_mut(&at).context("no container")? = "Never".into();
    Ok(micros(options, || {
        patch::apply(object, &patch::diff(object, &changed))
    }))
}

/// The median time of one call, over the time of a round.
fn micros<T>(options: &Options, call: impl Fn() -> T) -> f64 {
    let until = Instant::now() + options.round.min(Duration::from_millis(500));
    let mut took = Vec::new();
    while Instant::now() < until {
        let started = Instant::now();
        let result = std::hint::black_box(call());
        took.push(started.elapsed().as_secs_f64() * 1e6);
        drop(result);
    }
    median(took.into_iter())
}
