//! JSON that is cheap to send and dear to read.

use std::io::Write;
use std::time::{Duration, Instant};

use super::extent;
use super::traffic::{Caller, Target, mebibytes, quantile};
use crate::serve::{Server, client, connect, pod};

const PATH: &str = "/validate/ignore";
const LARGEST: usize = 8 * 1024 * 1024;
/// What an 8 MiB body may cost: it is parsed to at most 32 times its size,
/// while a list that grows is there twice; two are judged at once.
const MOST_MEBIBYTES: u64 = 1024;

fn target(server: &Server) -> Target {
    Target::new(server.https, &server.file("certs/ca.crt"))
}

/// A review whose object has this text as its member `spec`.
fn with_spec(spec: &str) -> String {
    let review = String::from_utf8(pod("nginx:latest")).expect("UTF-8");
    let review = review.replace("\"object\":{", &format!("\"object\":{{\"data\":{spec},"));
    assert!(review.contains(spec), "{review:.100}");
    review
}

/// A name, the text, the HTTP
/// status and, where that is 200, a part of the answer.
fn bombs() -> Vec<(&'static str, String, u16, &'static str)> {
    let list = |item: &str| {
        let count = (LARGEST - 2_000) / (item.len() + 1);
        with_spec(&format!("[{item}{}]", format!(",{item}").repeat(count - 1)))
    };
    let keys: String = (0..600_000)
        .map(|number| format!(",\"{number:06}\":0"))
        .collect();
    let same = ",\"a\":0".repeat(1_000_000);
    let digits = "9".repeat(1_000_000);
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let maps = format!("{}0{}", "{\"a\":".repeat(200_000), "}".repeat(200_000));
    let denied = "write a version instead of `latest`";
    vec![
        ("only brackets", "[".repeat(LARGEST), 400, "nested deeper"),
        (
            "only braces",
            "{\"a\":".repeat(LARGEST / 5),
            400,
            "nested deeper",
        ),
        (
            "lists in lists",
            with_spec(&deep),
            200,
            "nested deeper than 128",
        ),
        (
            "maps in maps",
            with_spec(&maps),
            200,
            "nested deeper than 128",
        ),
        ("4 million numbers", list("0"), 200, denied),
        ("2 million empty lists", list("[]"), 200, denied),
        ("2 million empty maps", list("{}"), 200, denied),
        ("2 million texts", list("\"\""), 200, denied),
        (
            "600,000 keys",
            with_spec(&format!("{{\"a\":0{keys}}}")),
            200,
            denied,
        ),
        (
            "1 million times one key",
            with_spec(&format!("{{\"a\":0{same}}}")),
            200,
            denied,
        ),
        ("a long number", with_spec(&digits), 200, "no valid JSON"),
        (
            "a huge exponent",
            with_spec("1e999999999"),
            200,
            "no valid JSON",
        ),
        ("a small exponent", with_spec("1e-999999999"), 200, denied),
        (
            "a lone surrogate",
            with_spec("\"\\ud800\""),
            200,
            "no valid JSON",
        ),
        (
            "a lone key",
            with_spec("{\"\\udc00\":0}"),
            200,
            "no valid JSON",
        ),
        ("a NUL", with_spec("\"\\u0000\""), 200, denied),
        (
            "an escape that is none",
            with_spec("\"\\x\""),
            400,
            "no valid JSON",
        ),
    ]
}

#[test]
fn bombs_of_json_get_an_answer_in_bounded_time_and_memory() {
    let server = Server::start(&[]);
    let process = server.process.id();
    let mut caller = Caller::new(&target(&server));
    for (name, text, status, part) in bombs() {
        assert!(text.len() <= LARGEST, "{name}: {}", text.len());
        let started = Instant::now();
        let answer = caller.post(PATH, text.as_bytes()).expect("an answer");
        let took = started.elapsed();
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        assert!(answer.body.contains(part), "{name}: {:.300}", answer.body);
        assert!(took < Duration::from_secs(10), "{name}: {took:?}");
        println!("{name}: {took:?}, peak {} MiB", mebibytes(process, "VmHWM"));
    }
    let peak = mebibytes(process, "VmHWM");
    assert!(peak < MOST_MEBIBYTES, "{peak} MiB");
}

#[test]
fn many_bombs_at_once_take_turns_and_health_answers() {
    let server = Server::start(&[]);
    let numbers = bombs().remove(4).1;
    let count: usize = extent(12, 32);
    std::thread::scope(|scope| {
        let bomb = || {
            let mut caller = Caller::new(&target(&server));
            // An error is a call that failed: closed before all of it was sent.
            let answer = caller.post(&format!("{PATH}?timeout=30s"), numbers.as_bytes());
            answer.map_or(0, |answer| answer.status)
        };
        let bombs: Vec<_> = (0..count).map(|_| scope.spawn(bomb)).collect();
        let mut health = Vec::new();
        while bombs.iter().any(|bomb| !bomb.is_finished()) {
            let started = Instant::now();
            assert_eq!(server.get("/livez").status, 200);
            health.push(started.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
        // A probe waits for a second, and may fail twice: those who send need
        // the processor too.
        let health = quantile(&mut health, 0.9);
        assert!(health < Duration::from_secs(1), "{health:?}");
        let join = |bomb: std::thread::ScopedJoinHandle<'_, u16>| bomb.join().expect("no panic");
        let statuses: Vec<u16> = bombs.into_iter().map(join).collect();
        // Judged, or turned away in a way that lets failurePolicy decide.
        assert!(
            statuses
                .iter()
                .all(|status| [0, 200, 408, 503].contains(status)),
            "{statuses:?}"
        );
        let judged = statuses.iter().filter(|status| **status == 200).count();
        println!("{judged} of {} judged", statuses.len());
        assert!(judged > 1, "{statuses:?}");
    });
    let peak = mebibytes(server.process.id(), "VmHWM");
    println!("peak {peak} MiB");
    // Those that wait for their turn have been read, some of them whole.
    let read = u64::try_from(count * (LARGEST >> 20)).expect("few");
    assert!(peak < MOST_MEBIBYTES + read, "{peak} MiB");
}

#[test]
fn large_bodies_that_stall_never_hold_up_small_ones_and_large_ones_not_for_long() {
    let server = Server::start(&[]);
    let ca = [server.file("certs/ca.crt")];
    let tls = client(&ca, &rustls::version::TLS13, None, &[]);
    let part = [b' '; 200 * 1024];
    // Two more than are read at once.
    let stalled: Vec<_> = (0..10)
        .map(|_| {
            let mut connection = connect(server.https, tls.clone()).expect("open");
            let head = format!(
                "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                 Content-Length: {LARGEST}\r\n\r\n"
            );
            let stream = connection.stream.get_mut();
            stream.write_all(head.as_bytes()).expect("sent");
            // The last two are not read to here.
            let _ = stream
                .sock
                .set_write_timeout(Some(Duration::from_millis(200)));
            let _ = stream.write_all(&part);
            connection
        })
        .collect();
    let started = Instant::now();
    let mut caller = Caller::new(&target(&server));
    let took = caller.timed(PATH, &pod("nginx:1.2.3"));
    assert!(took < Duration::from_secs(1), "{took:?}");
    let mut large = pod("nginx:1.2.3");
    large.resize(LARGEST, b' ');
    let first = caller.post(PATH, &large).map_or(0, |answer| answer.status);
    println!(
        "a large one beside them: {first} after {:?}",
        started.elapsed()
    );
    assert!([0, 200, 408, 503].contains(&first), "{first}");
    // Those that stall lost their turn by now.
    let mut again = Caller::new(&target(&server));
    assert_eq!(again.post(PATH, &large).expect("an answer").status, 200);
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{:?}",
        started.elapsed()
    );
    drop(stalled);
}
