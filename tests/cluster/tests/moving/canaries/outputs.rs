//! What is looked through: logs, metrics, events, answers, the audit log with
//! its patches, and every revision of everything that etcd had.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_cluster::AUDITED;
use portcullis_cluster::etcd::Event;

use super::super::{Stage, kubectl};
use super::flows::{Flow, REFUSED};
use super::{Batch, Bench, STAGED};
use crate::support::cluster;

pub(super) fn search(
    bench: &mut Bench,
    stage: &Stage,
    stored: &[Event],
    batches: &[(Batch, Flow)],
) {
    of_processes(bench, stage, batches);
    of_people(bench, stage);
    of_audit(bench, batches);
    of_etcd(bench, stored, batches);
}

/// Some batch that was stored, by whose name an output shows that it is one.
fn marks(text: &str, batches: &[(Batch, Flow)]) -> bool {
    let mut names = batches.iter().map(|(batch, _)| batch.name.as_str());
    names.any(|name| text.contains(name))
}

fn of_processes(bench: &Bench, stage: &Stage, batches: &[(Batch, Flow)]) {
    let serving = stage.serving.as_ref().expect("it runs");
    for (name, log) in [
        ("log of the replicas", stage.installation.log()),
        ("log of what serves", serving.log()),
    ] {
        assert!(log.contains("TRACE"), "{name} has no TRACE");
        assert!(marks(&log, batches), "{name} is not about ConfigMaps");
        println!("{name}: {} KiB", log.len() >> 10);
        bench.assert_clean(name, log.as_bytes());
    }
    let metrics = stage.installation.metrics().expect("metrics").concat();
    assert!(metrics.contains("portcullis_"), "{metrics}");
    bench.assert_clean("metrics", metrics.as_bytes());
}

/// What people are told: answers, warnings, refusals, events, Relocations.
fn of_people(bench: &mut Bench, stage: &Stage) {
    let status = stage.secrets(&["status"]).expect("a table");
    bench.said.push(("status".to_owned(), status));
    for kind in ["relocations", "events.events.k8s.io", "events", "pods"] {
        let found = kubectl(AUDITED, &["get", kind, "-o", "json"], "").stdout;
        assert!(found.contains("metadata"), "{kind}: {found}");
        bench.said.push((kind.to_owned(), found));
    }
    for part in ["moved to Secret", "may not create Secrets", "is also at"] {
        let mut all = bench.said.iter();
        assert!(
            all.any(|(_, text)| text.contains(part)),
            "nobody says {part}"
        );
    }
    for (name, text) in &bench.said {
        bench.assert_clean(name, text.as_bytes());
    }
}

/// Annotations, patches among them, and what was answered. What was asked has
/// the values, and so has what is asked and answered of Secrets: these show that
/// this is the place.
fn of_audit(bench: &Bench, batches: &[(Batch, Flow)]) {
    let Some(events) = cluster().audit_events().expect("an audit log") else {
        return;
    };
    let (mut clean, mut asked) = (String::new(), String::new());
    let mut patches = 0;
    for event in events {
        let (of, namespace) = (&event["objectRef"], &event["objectRef"]["namespace"]);
        asked += &event["requestObject"].to_string();
        let annotations = event["annotations"].to_string();
        patches += usize::from(annotations.contains("patch.webhook.admission.k8s.io"));
        clean += &annotations;
        let name = of["name"].as_str().unwrap_or_default();
        let is_staged = of["resource"] == "configmaps" && name.starts_with(STAGED);
        if namespace == AUDITED && of["resource"] != "secrets" && !is_staged {
            clean += &event["responseObject"].to_string();
        }
        clean += &event["responseStatus"].to_string();
    }
    println!("audit log: {} KiB, {patches} patches", clean.len() >> 10);
    assert!(patches > batches.len() / 2 && clean.contains("moved-secret:v1:"));
    assert_eq!(
        missing(bench, asked.as_bytes(), batches),
        Vec::<&str>::new()
    );
    bench.assert_clean("audit log", clean.as_bytes());
}

/// Every revision, but of Secrets, which hold all that was not refused.
fn of_etcd(bench: &Bench, stored: &[Event], batches: &[(Batch, Flow)]) {
    let (mut secrets, mut rest) = (Vec::new(), BTreeMap::<&str, Vec<u8>>::new());
    let staged = format!("/registry/configmaps/{AUDITED}/{STAGED}");
    for event in stored
        .iter()
        .filter(|event| !event.key.starts_with(&staged))
    {
        let value = event.value.as_deref().unwrap_or_default();
        if event.key.starts_with("/registry/secrets/") {
            secrets.extend(value);
            continue;
        }
        let kind = event.key.split('/').nth(2).unwrap_or_default();
        let all = rest.entry(kind).or_default();
        all.extend(event.key.as_bytes());
        all.extend(value);
    }
    let is_kept =
        |(batch, _): &&(Batch, Flow)| !REFUSED.iter().any(|name| batch.name.starts_with(name));
    let kept: Vec<&(Batch, Flow)> = batches.iter().filter(is_kept).collect();
    assert_eq!(missing(bench, &secrets, kept), Vec::<&str>::new());
    let count = stored.len();
    println!("etcd: {count} revisions, {} kinds", rest.len());
    for kind in ["configmaps", "portcullis.dev", "pods", "events"] {
        assert!(
            rest.contains_key(kind),
            "no {kind} in etcd: {:?}",
            rest.keys()
        );
    }
    for (kind, text) in rest.iter().filter(|(_, text)| text.len() > 2) {
        bench.assert_clean(&format!("etcd: {kind}"), text);
    }
}

/// Batches of which a value is not found where all of them are.
fn missing<'b>(
    bench: &Bench,
    text: &[u8],
    batches: impl IntoIterator<Item = &'b (Batch, Flow)>,
) -> Vec<&'b str> {
    let hits = bench.search.hits(text);
    let found: BTreeSet<usize> = hits.iter().map(|hit| hit.canary).collect();
    let batches = batches.into_iter().map(|(batch, _)| batch);
    let lacking = batches.filter(|batch| !batch.canaries.clone().all(|one| found.contains(&one)));
    lacking.map(|batch| batch.name.as_str()).collect()
}
