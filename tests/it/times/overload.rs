//! Three times as many requests as can be judged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::extent;
use super::traffic::{Caller, End, Target, mebibytes, quantile, response};
use crate::guests::text::{Guest, answer};
use crate::serve::{Server, pod};
use crate::support::Scratch;

/// Callers of an overload: more than are judged or wait (65 with one thread),
/// so that those who are turned away keep up the rate.
const CALLERS: u32 = 150;
const PATH: &str = "/validate/ignore?timeout=10s";

/// A server with one thread, whose one policy takes a few milliseconds
/// to warn of everything: then judging is what there is too little of, and not
/// the processor that these callers need too.
fn serve() -> Server {
    let work = "(local $n i32) (loop $l
        (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))
            (i32.const 4000000))))";
    let finding = json!({"code": "c", "message": "was judged", "remedy": "none", "path": ""});
    let guest = Guest {
        evaluate: format!("{work} {}", answer()),
        answer: json!({"findings": [finding]}).to_string(),
        ..Guest::default()
    };
    let scratch = Scratch::new();
    scratch.file("p/slow.wasm", guest.component());
    let policy = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": "slow"}, "spec": {"program": {"file": "slow.wasm"},
            "validationActions": ["Warn"], "failurePolicy": "Ignore",
            "limits": {"deadlineMilliseconds": 5_000}}});
    scratch.file("p/slow.json", policy.to_string());
    Server::judging(scratch, &["--threads", "1", "--verdict-cache", "off"])
}

/// What callers got, and how long it took.
#[derive(Default)]
struct Got {
    judged: Vec<Duration>,
    shed: Vec<Duration>,
}

impl Got {
    fn send(&mut self, caller: &mut Caller) {
        let started = Instant::now();
        let answer = caller.post(PATH, &pod("nginx:1.2.3")).expect("an answer");
        let took = started.elapsed();
        let response = response(&answer);
        // failurePolicy Ignore: whoever is turned away is allowed, and told.
        assert_eq!(response["allowed"], true, "{response}");
        let warning = response["warnings"][0].as_str().expect("a warning");
        if warning.contains("was judged") {
            self.judged.push(took);
        } else {
            assert!(
                warning.contains("every evaluation thread is busy"),
                "{warning}"
            );
            self.shed.push(took);
        }
    }

    fn and(mut self, other: Got) -> Got {
        self.judged.extend(other.judged);
        self.shed.extend(other.shed);
        self
    }
}

/// So many callers for so long, each with a request every `period`.
fn run(target: &Target, callers: u32, time: Duration, period: Duration) -> Got {
    let is_over = AtomicBool::new(false);
    let send = |number: u32| {
        let (mut caller, mut got) = (Caller::new(target), Got::default());
        let mut next = Instant::now() + period * number / callers;
        while !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            got.send(&mut caller);
            next += period;
        }
        got
    };
    std::thread::scope(|scope| {
        let end = End(&is_over);
        let send = &send;
        let running: Vec<_> = (0..callers)
            .map(|number| scope.spawn(move || send(number)))
            .collect();
        std::thread::sleep(time);
        drop(end);
        let join = |caller: std::thread::ScopedJoinHandle<'_, Got>| caller.join().expect("answers");
        running.into_iter().map(join).fold(Got::default(), Got::and)
    })
}

fn a_second(count: usize, time: Duration) -> f64 {
    a_count(count) / time.as_secs_f64()
}

fn a_count(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("few"))
}

/// Judged in a second, by four callers that wait for their answers.
fn capacity(target: &Target, usual: &mut Vec<Duration>) -> f64 {
    let time = Duration::from_secs(1);
    let got = run(target, 4, time, Duration::ZERO);
    assert!(got.shed.is_empty(), "four callers are no overload");
    let judged = a_second(got.judged.len(), time);
    usual.extend(got.judged);
    judged
}

#[test]
fn three_times_what_can_be_judged_costs_those_who_are_judged_little() {
    let server = serve();
    let target = Target::new(server.https, &server.file("certs/ca.crt"));
    let (rounds, time) = extent((4, Duration::from_secs(2)), (2, Duration::from_secs(60)));
    let (mut usual, mut got) = (Vec::new(), Got::default());
    // In turns, since what else the machine does comes and goes.
    let mut capacities = vec![capacity(&target, &mut usual)];
    let resident = mebibytes(server.process.id(), "VmRSS");
    for _ in 0..rounds {
        let last = capacities[capacities.len() - 1];
        let period = Duration::from_secs_f64(f64::from(CALLERS) / (3.0 * last));
        got = got.and(run(&target, CALLERS, time, period));
        recovers(&target, quantile(&mut usual, 0.99) * 2);
        capacities.push(capacity(&target, &mut usual));
    }
    let capacity = capacities.iter().sum::<f64>() / a_count(capacities.len());
    let time = time * rounds;
    let goodput = a_second(got.judged.len(), time);
    let offered = a_second(got.judged.len() + got.shed.len(), time);
    let slowest = quantile(&mut got.judged, 0.99);
    let turned_away = quantile(&mut got.shed, 0.99);
    println!(
        "capacity {capacity:.0}/s, offered {offered:.0}/s, goodput {goodput:.0}/s, \
         p99 judged {slowest:?}, p99 turned away {turned_away:?}"
    );
    assert!(
        offered >= 2.0 * capacity,
        "{offered} of {capacity} is no overload"
    );
    assert!(goodput >= 0.8 * capacity, "{goodput} of {capacity}");
    assert!(slowest <= Duration::from_secs(1), "{slowest:?}");
    // At once: long before its turn would have come.
    let at_once = quantile(&mut got.shed, 0.5);
    assert!(at_once <= slowest / 4, "{at_once:?} of {slowest:?}");
    assert!(turned_away <= slowest, "{turned_away:?} of {slowest:?}");
    let peak = mebibytes(server.process.id(), "VmHWM");
    assert!(peak <= 2 * resident, "{peak} MiB of {resident} MiB");
}

/// Within five seconds a caller is judged again, in no more than this.
fn recovers(target: &Target, usual: Duration) {
    let ended = Instant::now();
    let mut caller = Caller::new(target);
    loop {
        let mut after = Got::default();
        (0..20).for_each(|_| after.send(&mut caller));
        if after.shed.is_empty() && quantile(&mut after.judged, 0.5) <= usual {
            return;
        }
        assert!(
            ended.elapsed() < Duration::from_secs(5),
            "it does not recover"
        );
    }
}

/// Health, and the count of who was turned away.
#[test]
fn an_overload_is_counted_and_keeps_no_server_from_being_ready() {
    let server = serve();
    let target = Target::new(server.https, &server.file("certs/ca.crt"));
    let got = run(&target, CALLERS, Duration::from_secs(1), Duration::ZERO);
    assert!(!got.shed.is_empty(), "it is an overload");
    assert_eq!(server.get("/readyz").status, 200);
    let metrics = server.get("/metrics").body;
    let name =
        "portcullis_policy_failures_total{policy=\"slow\",blame=\"host\",cause=\"overload\"} ";
    let counted = metrics.lines().find_map(|line| line.strip_prefix(name));
    let counted: Value = counted.expect("a metric").parse().expect("a number");
    assert_eq!(counted, json!(got.shed.len()));
}
