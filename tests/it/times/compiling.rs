//! A changed policy that takes its time to load, while the server is alive.

use std::time::{Duration, Instant};

use serde_json::json;

use super::extent;
use super::policies::{document, program, replace};
use super::traffic::{Caller, Target, quantile};
use crate::guests::children::tangle;
use crate::guests::text::Guest;
use crate::serve::{Server, pod};
use crate::support::Scratch;

/// What a probe of a kubelet would notice long after (a second), and what a
/// machine that has nothing else to do never needs.
const PROMPT: Duration = Duration::from_millis(100);
const PROBE: Duration = Duration::from_secs(1);
/// A child has 30 s of the processor, and up to four times as long.
const PATIENCE: Duration = Duration::from_secs(150);

/// Whether a child of this process runs: the one that compiles.
fn has_child(process: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    tasks.flatten().any(|task| {
        // A thread may end meanwhile.
        let children = std::fs::read_to_string(task.path().join("children"));
        children.is_ok_and(|children| !children.trim().is_empty())
    })
}

/// A server that judges by a policy of this folder.
fn serve() -> Server {
    let scratch = Scratch::new();
    let folder = scratch.path().join("p");
    std::fs::create_dir(&folder).expect("a folder");
    replace(&folder, "one.wasm", program(1));
    replace(&folder, "one.json", document("one", json!({})));
    let poll = ["--policies-poll", "20ms", "--code-cache", "off"];
    Server::judging(scratch, &poll)
}

/// Puts a program in the place of the one in force; how long `/livez` took,
/// again and again, while a child had to do with it.
fn live_while(program: &[u8]) -> Vec<Duration> {
    let server = serve();
    let target = Target::new(server.https, &server.file("certs/ca.crt"));
    let mut caller = Caller::new(&target);
    replace(&server.file("p"), "one.wasm", program);
    let (started, mut took) = (Instant::now(), Vec::new());
    loop {
        assert!(started.elapsed() < PATIENCE, "it never comes to an end");
        let asked = Instant::now();
        assert_eq!(server.get("/livez").status, 200);
        let answered = asked.elapsed();
        if has_child(server.process.id()) {
            took.push(answered);
            let answer = caller.post("/validate/fail", &pod("nginx:1.2.3"));
            let body = answer.expect("an answer").body;
            assert!(body.contains("version=1"), "the set before judges: {body}");
        } else if server
            .get("/readyz?verbose")
            .body
            .contains("last good form")
        {
            return took;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_server_is_alive_while_a_child_compiles_a_change_that_never_ends() {
    let endless = Guest {
        init: Some("(loop $l (br $l)) unreachable".into()),
        ..Guest::default()
    };
    // The second is nothing but a compilation, for half a minute.
    let programs = extent(
        vec![endless.component()],
        vec![endless.component(), tangle(100_000)],
    );
    for program in programs {
        let mut took = live_while(&program);
        let (many, most) = (quantile(&mut took, 0.9), quantile(&mut took, 1.0));
        println!(
            "{} answers, 90 % within {many:?}, all within {most:?}",
            took.len()
        );
        assert!(took.len() > 20, "{} answers beside a child", took.len());
        assert!(many < PROMPT, "{many:?}");
        assert!(most < PROBE, "{most:?}");
    }
}
