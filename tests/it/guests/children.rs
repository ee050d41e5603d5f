//! Compilation in a child of the executable: what it may cost, and what comes
//! of one that breaks off.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::is_full;
use super::text::Guest;
use crate::support::{Scratch, portcullis, stderr, stdout};

/// When whatever goes on has been stopped, on a busy machine too: 30 s of the
/// processor are at most two minutes by the clock.
const LATEST: Duration = Duration::from_secs(150);

/// How `check` fares with policies of these programs: the cause that is told
/// of each, and how long it took.
fn check(programs: &[(&str, Vec<u8>)]) -> (Value, Duration) {
    let scratch = Scratch::new();
    for (name, program) in programs {
        scratch.file(&format!("p/{name}.wasm"), program);
        let policy = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
            "metadata": {"name": name}, "spec": {"program": {"file": format!("{name}.wasm")}}});
        scratch.file(&format!("p/{name}.json"), policy.to_string());
    }
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]}});
    let pod = scratch.file("pod.json", pod.to_string());
    let policies = scratch.path().join("p").display().to_string();
    let arguments = [
        "check",
        "--output",
        "json",
        "--profile",
        "none",
        "--policies",
        &policies,
        &pod,
    ];
    let started = Instant::now();
    let output = portcullis(&arguments).output().expect("it starts");
    let took = started.elapsed();
    let report =
        serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (report, took)
}

fn said(report: &Value, policy: &str) -> String {
    let failures = report["failures"].as_array().expect("a list");
    let of_it = failures.iter().map(Value::to_string);
    let found: Vec<String> = of_it
        .filter(|failure| failure.contains(&format!("\"{policy}\"")))
        .collect();
    assert_eq!(found.len(), 1, "{policy}: {report}");
    found.concat()
}

#[test]
fn what_init_ends_with_in_the_child_is_told_as_ever() {
    let init = |body: &str| {
        let guest = Guest {
            init: Some(body.into()),
            ..Guest::default()
        };
        guest.component()
    };
    let (report, took) = check(&[
        ("loops", init("(loop $l (br $l)) unreachable")),
        ("traps", init("unreachable")),
        (
            "grows",
            init(
                "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable",
            ),
        ),
        (
            "starts",
            Guest {
                start: "(loop $l (br $l))".into(),
                ..Guest::default()
            }
            .component(),
        ),
        ("good", Guest::default().component()),
        (
            "nested",
            Guest {
                beside: "(component (core module))".into(),
                ..Guest::default()
            }
            .component(),
        ),
    ]);
    for (policy, part) in [
        ("loops", "deadline"),
        ("traps", "trapped"),
        ("grows", "64 MiB"),
        ("starts", "deadline"),
    ] {
        let failure = said(&report, policy);
        assert!(failure.contains(part), "{failure}");
    }
    let text = report["failures"].to_string();
    assert!(
        !text.contains("\"good\"") && !text.contains("\"nested\""),
        "{text}"
    );
    assert!(took < LATEST, "{took:?}");
}

/// A function that takes its compiler for ever: every value lives to the end
/// of a body of this many steps, across branches.
pub(crate) fn tangle(steps: usize) -> Vec<u8> {
    let step = "(br_if $out (i32.eqz (local.tee $a (call $f (local.get $a) (local.get $b)))))
        (local.set $b (i32.rotl (local.get $a) (call $f (local.get $b) (local.get $c))))
        (local.set $c (i32.add (local.get $b) (local.get $d))) (local.set $d (local.get $a)) ";
    let module = format!(
        "(func $f (param i32 i32) (result i32) (local.get 0))
         (func (param $a i32) (param $b i32) (param $c i32) (param $d i32) (block $out {}))",
        step.repeat(steps)
    );
    Guest {
        module,
        ..Guest::default()
    }
    .component()
}

/// Components that each hold the one before twice: wasmtime unfolds 2^24 of
/// them when it compiles these 2 KB (found by this test's forerunner, which
/// did it in its own process and had 6 GB when it was stopped).
fn doubling() -> Vec<u8> {
    let mut beside = String::from("(component $c0 (core module))");
    for number in 1..24 {
        let before = format!("(instance (instantiate $c{}))", number - 1);
        beside += &format!("(component $c{number} {before} {before})");
    }
    beside += "(instance (instantiate $c23))";
    Guest {
        beside,
        ..Guest::default()
    }
    .component()
}

#[test]
fn what_takes_memory_without_end_to_compile_is_stopped_and_the_others_load() {
    let bomb = doubling();
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    let (report, took) = check(&[("bomb", bomb), ("good", Guest::default().component())]);
    let failure = said(&report, "bomb");
    let is_stopped = failure.contains("longer than 30 s") || failure.contains("MiB of memory");
    assert!(is_stopped, "{failure}");
    assert!(took < LATEST, "{took:?}");
    assert!(!report["failures"].to_string().contains("\"good\""));
}

#[test]
fn a_compilation_without_end_is_stopped_and_the_others_load() {
    if !is_full() {
        return;
    }
    let (report, took) = check(&[
        ("tangle", tangle(100_000)),
        ("good", Guest::default().component()),
    ]);
    let failure = said(&report, "tangle");
    let is_stopped = failure.contains("longer than 30 s") || failure.contains("MiB of memory");
    assert!(is_stopped, "{failure}");
    assert!(took < LATEST, "{took:?}");
    assert!(!report["failures"].to_string().contains("\"good\""));
}

#[test]
fn who_runs_the_childs_command_by_hand_is_told() {
    for input in ["hello", "{}\n", ""] {
        let mut command = portcullis(&["compile-policy"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut pipe, input.as_bytes()).expect("written");
        drop(pipe);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        assert!(
            stderr(&output).contains("Portcullis itself"),
            "{}",
            stderr(&output)
        );
    }
    let help = portcullis(&["--help"]).output().expect("it starts");
    assert!(!stdout(&help).contains("compile-policy"));
}

#[test]
fn the_child_works_in_every_layout_of_memory() {
    let scratch = Scratch::new();
    scratch.file("p/own.wasm", Guest::default().component());
    let policy = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": "own"}, "spec": {"program": {"file": "own.wasm"}}});
    scratch.file("p/own.json", policy.to_string());
    let policies = scratch.path().join("p").display().to_string();
    for gib in [40_u64, 8] {
        let output = std::process::Command::new("prlimit")
            .arg(format!("--as={}", gib << 30))
            .arg(env!("CARGO_BIN_EXE_portcullis"))
            .args([
                "check",
                "--profile",
                "none",
                "--code-cache",
                "off",
                "--policies",
                &policies,
            ])
            .arg("examples/web.yaml")
            .current_dir(crate::support::root())
            .output()
            .expect("prlimit of util-linux is there");
        let said = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(0), "within {gib} GiB: {said}");
    }
}
