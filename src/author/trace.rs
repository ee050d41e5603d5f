//! `policy trace`: one request and one policy, every step shown.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_contract::{Request as Projected, Verdict};
use portcullis_manifest as manifest;
use serde_json::{Map, Value};

use super::{Error, component, redaction, resource};
use crate::admit::{self, Phase};
use crate::args::author::Trace;
use crate::policy::decision::{self, plain};
use crate::policy::lookup::Inventory;
use crate::policy::spec::Resource;
use crate::policy::{Asked, Decision, Failure, Others, Policy, PolicySet, Ready, Sight, patch};
use crate::review::{self, Request};
use crate::wasm::{Engine, Loaded};
use crate::{load, replay};

/// How long the steps before an evaluation took.
struct Times {
    load: Duration,
    init: Duration,
}

/// What a policy is shown.
struct Shown<'a> {
    request: Request,
    /// What it may look up; None where no files were given.
    others: Option<&'a Arc<dyn Others>>,
}

/// Runs one policy on one request; says what it was shown, what it said, how
/// long that took and what the host made of it.
///
/// # Errors
///
/// Files that cannot be read, and a component or settings that are refused.
/// A policy that breaks on the request is part of the trace.
pub fn trace(engine: &Arc<Engine>, arguments: &Trace) -> Result<String, Error> {
    let request = request(&arguments.request)?;
    let settings = settings(arguments.settings.as_deref())?;
    let refused = |failure| Error::program(&arguments.file, failure);
    let bytes = component(&arguments.file)?;
    let started = Instant::now();
    let loaded = Loaded::new(engine, &bytes).map_err(refused)?;
    let load = started.elapsed();
    let description = loaded.description();
    let reads = load::check_description(description).map_err(refused)?;
    let resource = resource(description, settings, &arguments.grants).map_err(refused)?;
    redaction(description, &reads, &resource).map_err(refused)?;
    let started = Instant::now();
    let ready = load::ready(&loaded, description, &resource.spec).map_err(refused)?;
    let init = started.elapsed();
    let policy = policy(resource, &loaded, &ready);
    let others = others(&arguments.others, &ready.sight)?;
    let shown = Shown {
        request,
        others: others.as_ref(),
    };
    let trace = render(policy, &ready, &shown, &Times { load, init });
    // Objects and guests have no say over the terminal.
    Ok(trace.lines().map(|line| plain(line) + "\n").collect())
}

/// An AdmissionReview, or the creation of the object in a manifest.
fn request(file: &str) -> Result<Request, Error> {
    let refuse = |problem: String| Error::Input {
        place: file.to_owned(),
        problem,
    };
    let text = replay::read(file)?;
    let is_review = serde_json::from_slice::<Value>(&text)
        .is_ok_and(|document| document["kind"] == "AdmissionReview");
    let body = if is_review {
        text
    } else {
        review::encode_request(creation(&text).map_err(refuse)?)
    };
    let decoded = review::decode(&body).map_err(|error| refuse(error.to_string()))?;
    decoded.request.map_err(refuse)
}

/// The request that the creation of a manifest's only object would be.
fn creation(text: &[u8]) -> Result<Map<String, Value>, String> {
    let stream = manifest::read(text);
    if let Some(broken) = stream.broken.first() {
        let manifest::Position { line, column } = broken.position;
        return Err(format!("line {line}, column {column}: {broken}"));
    }
    match stream.objects.as_slice() {
        [object] => Ok(review::create(&object.value, |_, _| false)),
        [] => Err("it holds no object: give an AdmissionReview or a manifest".into()),
        objects => Err(format!(
            "it holds {} objects: give a manifest of one",
            objects.len()
        )),
    }
}

/// The objects of manifests that the policy may look up.
fn others(files: &[String], sight: &Sight) -> Result<Option<Arc<dyn Others>>, Error> {
    let mut inventory = Inventory::new(sight.granted());
    for file in files {
        let stream = manifest::read(&replay::read(file)?);
        if let Some(broken) = stream.broken.first() {
            let manifest::Position { line, column } = broken.position;
            return Err(Error::Input {
                place: file.clone(),
                problem: format!("line {line}, column {column}: {broken}"),
            });
        }
        for object in &stream.objects {
            inventory.add(&object.value, |_, _| false);
        }
    }
    Ok((!files.is_empty()).then(|| Arc::new(inventory) as Arc<dyn Others>))
}

fn settings(file: Option<&Path>) -> Result<Map<String, Value>, Error> {
    let Some(file) = file else {
        return Ok(Map::new());
    };
    let refuse = |problem: String| Error::Input {
        place: file.display().to_string(),
        problem,
    };
    let text = std::fs::read(file).map_err(|source| Error::file(file, source))?;
    let parsed = manifest::parse_document(&text).map_err(|broken| {
        let manifest::Position { line, column } = broken.position;
        refuse(format!("line {line}, column {column}: {broken}"))
    })?;
    match parsed {
        Value::Object(settings) => Ok(settings),
        Value::Null => Ok(Map::new()),
        _ => Err(refuse(
            "settings are a mapping: write `name: value` lines".into(),
        )),
    }
}

fn policy(resource: Resource, loaded: &Loaded, ready: &Ready) -> Policy {
    Policy {
        name: resource.name,
        spec: resource.spec,
        description: Some(Arc::clone(loaded.description())),
        program: Ok(ready.clone()),
    }
}

fn render(policy: Policy, ready: &Ready, shown: &Shown<'_>, times: &Times) -> String {
    let mut out = String::new();
    let Shown { request, others } = shown;
    let attributes = &request.attributes;
    let _ = writeln!(
        out,
        "request: {} of {} {}",
        attributes.operation.as_str(),
        attributes.kind,
        named(attributes.namespace.as_deref(), &attributes.name)
    );
    let reached = policy
        .constraints()
        .is_none_or(|constraints| admit::reaches(constraints, &replay::subject(request, *others)));
    if !reached {
        let name = policy.name;
        let _ = writeln!(
            out,
            "\nnot shown to `{name}`: what it matches does not include this request \
             (`portcullis policy inspect` says what it judges)"
        );
        return out;
    }
    let projection = ready.reads.project(
        &Projected::new(&request.admission, &request.namespace),
        ready.redaction,
    );
    let _ = writeln!(out, "\nit was shown:\n{}", pretty(&projection));
    let started = Instant::now();
    let asked = Asked {
        request: &projection,
        namespace: request.attributes.namespace.as_deref(),
        others: *others,
        looked: None,
    };
    let deadline = started + policy.spec.limits.deadline();
    let verdict = ready.program.judge(asked, deadline);
    let took = started.elapsed();
    let _ = writeln!(out, "\nit said:\n{}", said(verdict));
    let (load, init) = (milliseconds(times.load), milliseconds(times.init));
    let took = milliseconds(took);
    let _ = writeln!(out, "\nit took: load {load}, init {init}, evaluate {took}");
    let _ = write!(out, "\nthe host: {}", outcome(policy, request, *others));
    out
}

fn named(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) if namespace != name => format!("{namespace}/{name}"),
        _ => name.to_owned(),
    }
}

fn pretty(json: &str) -> String {
    serde_json::from_str::<Value>(json)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| json.to_owned())
}

fn said(verdict: Result<Verdict, Failure>) -> String {
    match verdict {
        Ok(verdict) if verdict.is_empty() => "nothing".into(),
        Ok(verdict) => serde_json::to_string_pretty(&verdict).unwrap_or_default(),
        Err(failure) => {
            let (blame, cause) = (failure.blame, failure.cause);
            format!("no verdict: {failure} [{blame}/{cause}]")
        }
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

/// Both halves of admission, as a cluster runs them: the validating half
/// judges what the mutating one made.
fn outcome(policy: Policy, request: &Request, others: Option<&Arc<dyn Others>>) -> String {
    let is_mutating = policy.is_mutating();
    let set = match PolicySet::new(vec![policy], BTreeSet::new()) {
        Ok(set) => set.for_files(),
        Err(duplicate) => return format!("{duplicate}\n"),
    };
    let mut request = request.clone();
    let mut out = String::new();
    if is_mutating {
        let changed = replay::decide(&set, &request, Phase::Mutate, others);
        verdict(&mut out, "mutating: ", &changed);
        let object = request.admission.get("object").unwrap_or(&Value::Null);
        if let Ok(object) = patch::apply(object, &changed.patch) {
            request.admission.insert("object".into(), object);
        }
    }
    let prefix = if is_mutating { "validating: " } else { "" };
    verdict(
        &mut out,
        prefix,
        &replay::decide(&set, &request, Phase::Validate, others),
    );
    out
}

fn verdict(out: &mut String, prefix: &str, decision: &Decision) {
    match decision.verdict() {
        decision::Verdict::Denied { message } => {
            let _ = writeln!(out, "{prefix}denied");
            for line in message.lines() {
                let _ = writeln!(out, "  {line}");
            }
        }
        decision::Verdict::Allowed { patch } => {
            let _ = writeln!(out, "{prefix}allowed");
            for operation in patch {
                let text = serde_json::to_string(operation).unwrap_or_default();
                let _ = writeln!(out, "  patch: {text}");
            }
        }
    }
    for wanted in &decision.effects {
        let when = if wanted.effect.required {
            "first"
        } else {
            "soon"
        };
        let _ = writeln!(out, "  in a cluster, {when}: {}", wanted.title());
    }
    for guard in &decision.guarded {
        let (text, permission) = (guard.judged.text(), &guard.permission);
        let (verb, resource) = (&permission.verb, &permission.resource);
        let _ = writeln!(out, "  unless the user may {verb} {resource}: {text}");
    }
    for lacking in &decision.lacking {
        let text = lacking.judged.text();
        let _ = writeln!(
            out,
            "  in files and audits, if nothing makes up for it: {text}"
        );
    }
    for closing in &decision.closing {
        let text = closing.judged.text();
        let _ = writeln!(out, "  if the API server calls what it closes: {text}");
    }
    for warning in decision.warnings() {
        let _ = writeln!(out, "  warning: {warning}");
    }
    for (key, value) in decision.audit_annotations() {
        let _ = writeln!(out, "  audit: {key}: {value}");
    }
}
