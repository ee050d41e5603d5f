//! People's commands that are killed (SIGKILL): run again, they do what they
//! were to do, and at no revision did the ConfigMap mean anything else.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use portcullis_cluster::STOP_FILE;
use portcullis_relocation::moments::{Moment, Who};
use portcullis_relocation::names::{Half, serving};
use serde_json::{Value, json};

use super::history::{History, MAPS};
use super::journal::{Change, Journal, Values, WRITE};
use crate::moving::{Stage, VALUE, get, kubectl};
use crate::policies::eventually;
use crate::support::cluster;

/// Runs a command that ends at this moment, or at its end.
fn run(stage: &Stage, arguments: &[&str], stop: Option<Moment>) -> Output {
    let file = cluster().folder().join("command.stop");
    if let Some(moment) = stop {
        std::fs::write(&file, format!("{} 1", moment.name())).expect("a file");
    }
    let mut command = Command::new(portcullis_cluster::binary().expect("it is built"));
    command.args(stage.secrets_line(arguments));
    let output = command.env(STOP_FILE, &file).output().expect("it starts");
    // Where it was not stopped the file is there, and nobody else may find it.
    let _ = std::fs::remove_file(&file);
    output
}

/// The command whose moment it is.
fn command(moment: Moment) -> &'static str {
    let name = moment.name();
    let is_it = |command: &&&str| name.starts_with(**command);
    let known = ["prepare", "redact", "restore"];
    known.iter().find(is_it).expect("a known command")
}

/// Runs it for a ConfigMap: to this moment, or to its end.
fn act(stage: &Stage, command: &str, (namespace, map): (&str, &str), stop: Option<Moment>) {
    let mut arguments = vec![command, namespace, map];
    if command == "prepare" {
        arguments.push("--key=PASSWORD");
    }
    let output = run(stage, &arguments, stop);
    let said = String::from_utf8_lossy(&output.stderr);
    match stop {
        Some(moment) => assert_eq!(output.status.signal(), Some(9), "{moment:?}: {said}"),
        None => assert!(output.status.success(), "{command} {map}: {said}"),
    }
}

fn stored(namespace: &str, map: &str) -> Value {
    get(namespace, "configmap", map)["data"]["PASSWORD"].clone()
}

#[test]
fn a_command_that_was_killed_is_run_again() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("commands");
    let of_commands = |moment: &&Moment| moment.who() == Who::Command;
    let moments: Vec<Moment> = Moment::ALL.iter().filter(of_commands).copied().collect();
    let map = |moment: &Moment| format!("{MAPS}{}", moment.name());
    let mut history = History::new(&namespace, "in the open", "of a dry run");
    let mut journal = Journal::default();
    for moment in &moments {
        let mut values = Values::from([("PASSWORD".into(), VALUE.into())]);
        let write = journal.asked(&map(moment), Change::Whole(values.clone()));
        values.insert(WRITE.into(), write.to_string());
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": map(moment)}, "data": values});
        let created = kubectl(&namespace, &["create", "-f", "-"], &object.to_string());
        created.ok().expect("created");
    }
    let (mut etcd, there) = cluster().etcd().expect("etcd answers");
    history.take(&there, &journal);
    stage.enrol(&namespace);
    for moment in moments {
        let (name, command) = (map(&moment), command(moment));
        let one = (namespace.as_str(), name.as_str());
        if command == "restore" {
            act(&stage, "redact", one, None);
        }
        act(&stage, command, one, Some(moment));
        act(&stage, command, one, None);
        match command {
            "redact" => {
                let text = stored(&namespace, &name).to_string();
                assert!(text.contains("moved-secret:v1:"), "{moment:?}: {text}");
            }
            _ => assert_eq!(stored(&namespace, &name), VALUE, "{moment:?}"),
        }
        let serves = || get(&namespace, "secret", &serving(&name, Half::Text));
        eventually("served", serves, |secret| {
            !secret["data"]["PASSWORD"].is_null()
        });
        eprintln!("killed at {}, and run again", moment.name());
    }
    let events = etcd.catch_up().expect("etcd tells");
    history.take(&events, &journal);
    let wrong = history.wrong();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
