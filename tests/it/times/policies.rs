//! Policies that change on disk while requests are judged.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::extent;
use super::traffic::{Caller, End, Target, response};
use crate::guests::text::Guest;
use crate::serve::{Server, eventually, pod};
use crate::support::Scratch;

/// A policy that finds its version.
pub(super) fn program(version: u32) -> Vec<u8> {
    let finding = json!({"code": "c", "message": format!("version={version}"), "remedy": "none",
        "path": ""});
    let guest = Guest {
        answer: json!({"findings": [finding]}).to_string(),
        ..Guest::default()
    };
    guest.component()
}

pub(super) fn document(name: &str, spec: Value) -> String {
    let mut document = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": name}, "spec": {"program": {"file": format!("{name}.wasm")},
            "validationActions": ["Warn"],
            // A busy machine is no matter of these tests.
            "limits": {"deadlineMilliseconds": 5_000}}});
    for (member, value) in spec.as_object().expect("a map") {
        document["spec"][member] = value.clone();
    }
    document.to_string()
}

/// Puts a file in place whole.
pub(super) fn replace(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let beside = folder.join(format!("{name}.new"));
    std::fs::write(&beside, bytes).expect("written");
    std::fs::rename(beside, folder.join(name)).expect("renamed");
}

/// Points the name at something else, as Kubernetes does with `..data`.
fn point(folder: &Path, name: &str, to: &str) {
    let beside = folder.join("..new");
    symlink(to, &beside).expect("a link");
    std::fs::rename(beside, folder.join(name)).expect("renamed");
}

/// Makes version `version` of two policies and puts it in force, as a mounted
/// ConfigMap changes.
fn mount(folder: &Path, version: u32) {
    let name = format!("..v{version}");
    let data = folder.join(&name);
    std::fs::create_dir_all(&data).expect("a folder");
    for policy in ["one", "two"] {
        std::fs::write(data.join(format!("{policy}.wasm")), program(version)).expect("written");
        let document = document(policy, json!({}));
        std::fs::write(data.join(format!("{policy}.json")), document).expect("written");
    }
    point(folder, "..data", &name);
    if version > 2 {
        let old = version - 2;
        std::fs::remove_dir_all(folder.join(format!("..v{old}"))).expect("removed");
    }
}

fn serve(scratch: Scratch) -> Server {
    Server::judging(scratch, &["--policies-poll", "20ms"])
}

fn target(server: &Server) -> Target {
    Target::new(server.https, &server.file("certs/ca.crt"))
}

/// The versions that judged a request.
fn versions(caller: &mut Caller) -> Vec<u32> {
    let answer = caller.post("/validate/fail", &pod("nginx:1.2.3"));
    let response = response(&answer.expect("an answer"));
    assert_eq!(response["allowed"], true, "{response}");
    let warnings = response["warnings"].as_array().cloned().unwrap_or_default();
    let version = |warning: &Value| {
        let (_, behind) = warning.as_str()?.split_once("version=")?;
        let digits = behind.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    warnings
        .iter()
        .map(|warning| version(warning).unwrap_or_else(|| panic!("{warning}")))
        .collect()
}

#[test]
fn each_request_is_judged_wholly_by_an_old_or_a_new_set() {
    let (changes, requests) = extent((20, 1_000), (200, 10_000));
    let scratch = Scratch::new();
    let folder = scratch.path().join("p");
    std::fs::create_dir(&folder).expect("a folder");
    mount(&folder, 1);
    for name in ["one.json", "one.wasm", "two.json", "two.wasm"] {
        point(&folder, name, &format!("..data/{name}"));
    }
    let server = serve(scratch);
    let target = target(&server);
    let (sent, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let end = End(&is_over);
        let caller = || {
            let (mut caller, mut last, mut seen) = (Caller::new(&target), 0, 0);
            let mut is_last = false;
            while !is_last {
                // Looked at before the request: the last one is sent when the
                // last set is in force.
                let is_enough = sent.load(Ordering::Relaxed) >= requests;
                is_last = is_over.load(Ordering::Relaxed) && is_enough;
                let found = versions(&mut caller);
                sent.fetch_add(1, Ordering::Relaxed);
                assert_eq!(found.len(), 2, "{found:?}");
                assert_eq!(found[0], found[1], "a mixture judged");
                assert!(found[0] >= last, "{found:?} after {last}");
                seen += u32::from(found[0] > last);
                last = found[0];
            }
            (last, seen)
        };
        let callers: Vec<_> = (0..2).map(|_| scope.spawn(caller)).collect();
        for version in 2..=changes + 1 {
            mount(&folder, version);
            // Some changes follow at once, and are never in force.
            if version % 4 != 0 {
                let taken = Instant::now();
                let mut own = Caller::new(&target);
                while versions(&mut own) != [version; 2] {
                    assert!(
                        taken.elapsed() < Duration::from_secs(20),
                        "{version} is not taken"
                    );
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
        drop(end);
        for caller in callers {
            let (last, seen) = caller.join().expect("no mixture");
            assert_eq!(last, changes + 1);
            assert!(
                seen > changes / 2,
                "only {seen} of {changes} sets were seen"
            );
        }
    });
    let metrics = server.get("/metrics").body;
    assert!(
        !metrics.contains("policy_reloads_total{reason=\"refused\"}"),
        "{metrics}"
    );
}

/// A server with one policy `one` of version 1 in `p`.
fn with_one() -> Server {
    let scratch = Scratch::new();
    scratch.file("p/one.wasm", program(1));
    scratch.file("p/one.json", document("one", json!({})));
    serve(scratch)
}

fn reloads(server: &Server, reason: &str) -> usize {
    let name = format!("portcullis_policy_reloads_total{{reason=\"{reason}\"}} ");
    let metrics = server.get("/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |count| count.parse().expect("a count"))
}

#[test]
fn a_set_that_cannot_be_read_leaves_the_old_one_and_says_so_once() {
    let server = with_one();
    let folder = server.file("p");
    let mut caller = Caller::new(&target(&server));
    let bad = [
        ("kind: WasmPolicy\n  bad: [", "bad.yaml:"),
        (
            &document("one", json!({}))[..],
            "a policy named `one` is also at",
        ),
    ];
    for (number, (text, part)) in bad.into_iter().enumerate() {
        replace(&folder, "bad.yaml", text);
        eventually("it is refused", || {
            reloads(&server, "refused") == number + 1
        });
        // Many looks later it was still said only once.
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(reloads(&server, "refused"), number + 1);
        let log = server.log();
        let said = log
            .lines()
            .filter(|line| line.contains("policies were refused"));
        assert_eq!(said.count(), number + 1, "{log}");
        let ready = server.get("/readyz?verbose");
        assert_eq!(ready.status, 200);
        let line = ready
            .body
            .lines()
            .find(|line| line.starts_with("[+]policies: "));
        let line = line.unwrap_or_else(|| panic!("{}", ready.body));
        assert!(
            line.contains("the last change was refused") && line.contains(part),
            "{line}"
        );
        assert_eq!(versions(&mut caller), [1]);
    }
    std::fs::remove_file(folder.join("bad.yaml")).expect("removed");
    eventually("nothing is refused any more", || {
        !server.get("/readyz?verbose").body.contains("refused")
    });
    replace(&folder, "one.wasm", program(2));
    eventually("the new program judges", || versions(&mut caller) == [2]);
}

#[test]
fn a_policy_that_does_not_load_stays_in_its_last_good_form() {
    let server = with_one();
    let folder = server.file("p");
    let mut caller = Caller::new(&target(&server));
    replace(&folder, "one.wasm", "no component");
    let health = || server.get("/readyz?verbose").body;
    eventually("it is stale", || {
        health().contains("[+]policy/one: ready in its last good form")
    });
    assert!(health().contains("no WebAssembly"), "{}", health());
    assert_eq!(versions(&mut caller), [1]);
    // Counted a moment after it is in force.
    eventually("it is counted", || {
        let metrics = server.get("/metrics").body;
        ["stale\"} 1", "ready\"} 0", "failed\"} 0"]
            .iter()
            .all(|count| metrics.contains(&format!("portcullis_policies{{state=\"{count}")))
    });
    // A further change of another policy keeps it so; that one loads.
    replace(&folder, "two.wasm", program(7));
    replace(&folder, "two.json", document("two", json!({})));
    eventually("the other judges too", || versions(&mut caller) == [1, 7]);
    replace(&folder, "one.wasm", program(2));
    eventually("it is mended", || versions(&mut caller) == [2, 7]);
    assert!(health().contains("[+]policy/one: ready\n"), "{}", health());
    std::fs::remove_file(folder.join("one.json")).expect("removed");
    eventually("it is gone", || versions(&mut caller) == [7]);
}

#[test]
fn a_withdrawn_grant_is_never_used_again() {
    let scratch = Scratch::new();
    let guest = Guest::default().described(|d| d["reads"] = json!(["object"]));
    scratch.file("p/one.wasm", guest.component());
    scratch.file("p/one.json", document("one", json!({"grants": ["values"]})));
    let server = serve(scratch);
    let allowed = server.review("/validate/fail", &pod("nginx:1.2.3"));
    assert_eq!(allowed["allowed"], true, "{allowed}");
    replace(&server.file("p"), "one.json", document("one", json!({})));
    eventually("it fails", || {
        server
            .get("/readyz?verbose")
            .body
            .contains("[+]policy/one: failed")
    });
    let denied = server.review("/validate/fail", &pod("nginx:1.2.3"));
    assert_eq!(denied["allowed"], false, "{denied}");
}

#[test]
fn a_new_policy_that_does_not_load_fails_by_its_failure_policy() {
    let server = with_one();
    let folder = server.file("p");
    replace(&folder, "two.json", document("two", json!({})));
    eventually("it fails", || {
        server
            .get("/readyz?verbose")
            .body
            .contains("[+]policy/two: failed")
    });
    let denied = server.review("/validate/fail", &pod("nginx:1.2.3"));
    assert_eq!(denied["allowed"], false, "{denied}");
    let message = denied["status"]["message"].as_str().expect("a message");
    assert!(message.contains("`two`"), "{message}");
}
