//! The author's path: `policy new`, `test`, `build`, `inspect`, `trace`.
//!
//! What compiles guests shares one target folder, one after the other, so that
//! the SDK is compiled once for all.

mod build;
mod cases;
mod inspect;
mod new;
mod trace;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::support::{Scratch, portcullis, root, run, stderr, stdout};

/// One build at a time.
static BUILDING: Mutex<()> = Mutex::new(());

pub(crate) fn building() -> MutexGuard<'static, ()> {
    BUILDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `portcullis policy ARGUMENTS` in a folder. Nothing is downloaded: the SDK's
/// dependencies are those of the built-in policies.
pub(crate) fn policy(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = portcullis(&["policy"]);
    command.args(arguments).current_dir(folder);
    guests(&mut command);
    command
}

fn guests(command: &mut Command) {
    command
        .env("CARGO_TARGET_DIR", root().join("target/guests-tests"))
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("RUSTFLAGS")
        .env_remove("PORTCULLIS_SDK");
}

fn output(mut command: Command) -> Output {
    command.output().expect("it starts")
}

/// The crate `owner`, new, in a folder of its own.
pub(crate) fn owner() -> Scratch {
    let scratch = Scratch::new();
    let made = output(policy(scratch.path(), &["new", "owner"]));
    assert!(made.status.success(), "{}", stderr(&made));
    scratch
}

/// Runs it, expects this exit code, and gives what it printed and said.
fn expect(code: i32, command: Command) -> (String, String) {
    let output = output(command);
    let (out, err) = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

#[test]
fn a_new_policy_passes_its_cases_and_denies() {
    let _one = building();
    let scratch = owner();
    let folder = scratch.path().join("owner");
    let (tested, _) = expect(0, policy(&folder, &["test"]));
    assert!(tested.ends_with("5 passed, 0 failed\n"), "{tested}");
    let (built, _) = expect(0, policy(&folder, &["build"]));
    assert!(built.starts_with("owner.wasm: "), "{built}");
    let (inspected, _) = expect(0, policy(&folder, &["inspect", "owner.wasm"]));
    let digest = built.split_whitespace().last().expect("a digest");
    assert!(inspected.contains(digest), "{inspected}");
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n";
    scratch.file("owner/web.yaml", web);
    let mut check = portcullis(&["check", "--profile", "none", "--policies", "policy.yaml"]);
    check.arg("web.yaml").current_dir(&folder);
    let (checked, _) = expect(1, check);
    assert!(checked.contains("[owner/owner-missing]"), "{checked}");
    let (traced, _) = expect(0, policy(&folder, &["trace", "owner.wasm", "web.yaml"]));
    assert!(traced.contains("the host: denied"), "{traced}");
}

#[test]
fn the_cases_of_a_new_policy_pass_natively_too() {
    let _one = building();
    let scratch = owner();
    let mut test = Command::new("cargo");
    test.args(["test", "--locked", "--quiet"])
        .current_dir(scratch.path().join("owner"));
    guests(&mut test);
    let (out, _) = expect(0, test);
    assert!(out.contains("test result: ok. 1 passed"), "{out}");
}

#[test]
fn each_command_tells_how_it_is_used() {
    for command in ["new", "build", "test", "inspect", "trace"] {
        let help = run(&["policy", command, "--help"]);
        assert!(help.status.success() && stdout(&help).contains("Usage: portcullis policy"));
    }
    let help = run(&["policy", "trace", "--help"]);
    assert!(stdout(&help).contains("--grant values"));
}
