//! What a start costs.

use std::time::Duration;

use super::pod;
use super::server::Server;
use crate::support::Scratch;

/// Of the processor, on this machine: a core a third as quick is then ready
/// within the three seconds of the issue "The pack".
const MOST: Duration = Duration::from_secs(1);

/// Ticks of `/proc/PID/stat`: `USER_HZ`, 100 on every Linux architecture.
const TICKS: u64 = 100;

/// User and system time of a process, all its threads together.
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux");
    // The name, in brackets, may hold blanks: fields count from behind it.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("ticks");
    Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS)
}

#[test]
fn a_first_start_with_an_empty_cache_compiles_nothing() {
    for profile in ["starter", "strict"] {
        let scratch = Scratch::new();
        let cache = scratch.path().join("cache");
        let folder = cache.display().to_string();
        let server = Server::start_in(scratch, &["--profile", profile, "--code-cache", &folder]);
        assert_eq!(server.get("/readyz").status, 200);
        let took = processor_time(server.process.id());
        println!("{profile}: ready after {took:?} of one processor");
        assert!(took < MOST, "{profile}: {took:?}");
        let kept = std::fs::read_dir(&cache).expect("the cache");
        let kept: Vec<_> = kept
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(kept, ["key"], "{profile}");
        let denied = server.review("/validate/ignore", &pod("nginx:latest"));
        assert_eq!(denied["allowed"], profile == "strict", "{profile}");
    }
}
