//! The failure table of the design (reliability.md, section 8), row by row, on a
//! real control plane. Every write is tried out first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::replay::{apply, create, refusal, tried, write};
use super::{OTHER, Stage, VALUE, config_map, get, kubectl, served};
use crate::policies::{admin, eventually};
use crate::support::cluster;

/// Where a placeholder comes to that nobody made for it; who writes by the
/// system's hand; names that are made.
mod copies;
/// A ConfigMap goes and comes.
mod deleted;
/// ConfigMaps that never change.
mod immutable;
/// As many keys, bytes and Secrets as there may be, and a namespace that goes.
mod limits;
/// Other webhooks, and containers that come later.
mod meddled;

/// Before what names a staged Secret.
const STAGED: &str = "portcullis-moved-s-";

/// How a placeholder begins.
fn is_placeholder(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.starts_with(&format!("moved-secret:v1:{STAGED}"))
}

/// Names of the Secrets of ours in a namespace.
fn ours(namespace: &str) -> Vec<String> {
    let names = ["get", "secrets", "-o", "name"];
    let names = kubectl(namespace, &names, "").ok().expect("a list");
    let names = names
        .lines()
        .filter_map(|line| line.strip_prefix("secret/"));
    let ours = names.filter(|name| name.starts_with("portcullis-moved-"));
    ours.map(str::to_owned).collect()
}

fn staged(namespace: &str) -> usize {
    let all = ours(namespace);
    all.iter().filter(|name| name.starts_with(STAGED)).count()
}

/// What a Secret holds under a key.
fn held(namespace: &str, secret: &str, key: &str) -> Option<String> {
    let secret = get(namespace, "secret", secret);
    let value = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
    String::from_utf8(value).ok()
}

/// What pods read in the place of a key of a ConfigMap, once it is this.
fn serves(namespace: &str, config_map: &str, key: &str, value: &str) {
    let secret = format!("portcullis-moved-t-{config_map}");
    let read = || held(namespace, &secret, key);
    eventually("what is served", read, |held| {
        held.as_deref() == Some(value)
    });
}

/// A ConfigMap as it is stored, with other metadata.
fn anew(stored: &Value, metadata: Value) -> String {
    let mut copy = stored.clone();
    copy["metadata"] = metadata;
    copy.to_string()
}

#[test]
fn the_rows_of_one_config_map() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("rows");
    let old = immutable::before(&mut stage);
    copies::a_placeholder_is_good_for_its_place_alone(&mut stage, &namespace);
    copies::what_a_controller_writes_is_left(&namespace);
    immutable::created_with_values_it_stays_as_it_is(&namespace);
    immutable::one_that_was_there_is_made_anew(&stage, &old);
    limits::binary_data_has_a_secret_of_its_own(&namespace);
    limits::so_many_keys_and_no_more(&namespace);
    limits::so_many_bytes_and_no_more(&namespace);
    deleted::what_comes_again_is_never_collected(&namespace);
    deleted::nothing_is_left_behind(&namespace);
    copies::a_name_that_is_made_is_as_good(&namespace);
}

#[test]
fn the_rows_of_what_others_do() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("others");
    let going = limits::going(&mut stage);
    limits::a_quota_is_told_of_and_nothing_changes(&mut stage);
    meddled::what_another_webhook_adds_is_moved_or_refused(&namespace);
    meddled::a_container_that_another_webhook_adds_reads_the_secret(&namespace);
    meddled::a_container_that_comes_later_reads_the_secret(&namespace);
    limits::a_namespace_that_goes_takes_no_value(&going);
}
