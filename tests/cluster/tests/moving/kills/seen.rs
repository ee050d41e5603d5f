//! Whether what is wrong is seen: each violation, made by hand in a namespace
//! that nobody looks after.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_cluster::etcd::Etcd;
use portcullis_relocation::Field;
use portcullis_relocation::digest::{self, Issue, Keyring, LEAST_KEY, Owner, Write};
use portcullis_relocation::names::{Half, serving, staged};
use portcullis_relocation::placeholder::Placeholder;
use serde_json::{Value, json};

use super::history::{History, MAPS};
use super::journal::{Change, Journal, Outcome, Started, Values, WRITE};
use crate::moving::kubectl;
use crate::support::cluster;

const VALUE: &str = "one";
const OTHER: &str = "two";

/// A namespace whose history is followed.
struct Place {
    namespace: portcullis_cluster::Namespace<'static>,
    etcd: Etcd,
    history: History,
    journal: Journal,
    /// What is in each value, and in each of a dry run.
    marks: [String; 2],
}

impl Place {
    fn new() -> Place {
        let namespace = cluster().namespace().expect("a namespace");
        let (etcd, there) = cluster().etcd().expect("etcd answers");
        let marks = ["moved", "dry"].map(|kind| format!("{kind}={}", namespace.name()));
        let mut history = History::new(namespace.name(), &marks[0], &marks[1]);
        let journal = Journal::default();
        history.take(&there, &journal);
        Place {
            namespace,
            etcd,
            history,
            journal,
            marks,
        }
    }

    fn value(&self, text: &str) -> String {
        format!("{}-{text}", self.marks[0])
    }

    fn apply(&self, object: &Value) {
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        let applied = kubectl(self.namespace.name(), &apply, &object.to_string());
        applied.ok().expect("applied");
    }

    fn secret(&self, name: &str, text: &str) {
        self.plain_secret(name, &self.value(text));
    }

    fn plain_secret(&self, name: &str, value: &str) {
        let data = json!({"PASSWORD": value});
        self.apply(
            &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "stringData": data}),
        );
    }

    fn map(&self, write: usize, password: &str) {
        self.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("{MAPS}a")},
            "data": {"PASSWORD": password, WRITE: write.to_string()}}));
    }

    /// A client asks for this value.
    fn asks(&mut self, value: &str) -> usize {
        let values = Values::from([("PASSWORD".to_owned(), self.value(value))]);
        self.journal
            .asked(&format!("{MAPS}a"), Change::Whole(values))
    }

    /// A value that is moved as it should be: its write.
    fn moves(&mut self, number: u64, value: &str) -> usize {
        let write = self.asks(value);
        self.secret(&staged(number), value);
        self.map(write, &placeholder(number));
        write
    }

    fn see(&mut self) -> String {
        let events = self.etcd.catch_up().expect("etcd tells");
        self.history.take(&events, &self.journal);
        self.history.judge(&self.journal);
        self.history.wrong().join("\n")
    }

    /// Fails unless this is seen now, and nothing was before.
    fn sees(&mut self, what: &str) {
        let wrong = self.see();
        assert!(wrong.contains(what), "not seen: {what}; {wrong}");
    }
}

/// Nobody asks here whose it is.
fn placeholder(number: u64) -> String {
    let (secret, keyring) = (staged(number), Keyring::new(&[7; LEAST_KEY], &[]));
    let place = digest::Place {
        namespace: "any",
        owner: Owner::Named("any"),
        field: &Field::text("PASSWORD"),
        staged: &secret,
    };
    let write = Write {
        over: "",
        by: "any",
    };
    let issue = Issue { at: 1, write };
    let digest = keyring.expect("a key").digest(&place, b"any", issue);
    Placeholder { secret, digest }.to_string()
}

#[test]
fn what_is_in_order_is_no_violation() {
    let mut place = Place::new();
    place.history.guard();
    place.moves(1, VALUE);
    place.secret(&serving(&format!("{MAPS}a"), Half::Text), VALUE);
    assert_eq!(place.see(), "");
    assert_eq!(place.history.unsettled(), Vec::<String>::new());
    place.moves(2, OTHER);
    assert_eq!(place.see(), "");
    assert_eq!(place.history.unsettled().len(), 1);
    assert_eq!(
        place.history.orphans().into_iter().collect::<Vec<_>>(),
        [staged(1)]
    );
    place.secret(&serving(&format!("{MAPS}a"), Half::Text), OTHER);
    assert_eq!(place.see(), "");
}

#[test]
fn a_value_in_the_open_is_seen() {
    let mut place = Place::new();
    let write = place.asks(VALUE);
    place.map(write, &place.value(VALUE));
    place.sees("I1");
    // In base64 wherever it begins, in hex, and in something else altogether.
    for form in 0..4 {
        let mut place = Place::new();
        let value = place.value(VALUE);
        let copy = match form {
            3 => value.bytes().map(|byte| format!("{byte:02x}")).collect(),
            before => STANDARD.encode(format!("{}{value}!", "?".repeat(before))),
        };
        place.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "x", "annotations": {"copy": copy}}}));
        place.sees("I1");
    }
}

#[test]
fn a_value_that_is_lost_or_another_is_seen() {
    let mut place = Place::new();
    place.moves(1, VALUE);
    let delete = ["delete", "secret", &staged(1)];
    kubectl(place.namespace.name(), &delete, "")
        .ok()
        .expect("deleted");
    place.sees("a ConfigMap names it");
    let mut place = Place::new();
    let write = place.asks(VALUE);
    place.secret(&staged(1), OTHER);
    place.map(write, &placeholder(1));
    place.sees("it differs in");
    let mut place = Place::new();
    let write = place.asks(VALUE);
    place.map(write, &placeholder(1));
    place.sees("stands for nothing");
}

#[test]
fn an_answer_that_was_not_kept_is_seen() {
    let mut place = Place::new();
    let write = place.asks(VALUE);
    place.journal.told(write, Outcome::Done(7));
    place.sees("is lost");
    let mut place = Place::new();
    let write = place.moves(1, VALUE);
    place.journal.told(write, Outcome::Refused("no".to_owned()));
    place.sees("was refused and stored");
}

#[test]
fn what_others_have_and_what_dry_runs_leave_is_seen() {
    let mut place = Place::new();
    place.plain_secret("others", "theirs");
    assert_eq!(place.see(), "");
    place.history.guard();
    place.plain_secret("others", "ours");
    place.sees("I3");
    let mut place = Place::new();
    place.plain_secret(&staged(1), &place.marks[1]);
    place.sees("I4");
}

#[test]
fn what_pods_read_of_the_past_is_seen() {
    let mut place = Place::new();
    place.moves(1, VALUE);
    let serves = serving(&format!("{MAPS}a"), Half::Text);
    place.secret(&serves, VALUE);
    place.moves(2, OTHER);
    place.secret(&serves, OTHER);
    assert_eq!(place.see(), "");
    place.secret(&serves, VALUE);
    place.sees("went back");
    // A pod that came while the new value was not served yet.
    let mut place = Place::new();
    place.moves(1, VALUE);
    place.secret(&serves, VALUE);
    place.moves(2, OTHER);
    place.see();
    let seen = place.history.revision(&format!("{MAPS}a"));
    let started = Started {
        map: format!("{MAPS}a"),
        seen,
        at: seen + 1,
        is_rewritten: true,
    };
    place.journal.pods.push(started);
    place.sees("what was before");
}
