//! Runs a child to its end, or to the end of its time.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::confine::MEMORY;
use crate::policy::{Cause, Failure};
use crate::wasm::until::STARVED;

/// The largest answer that is read, in bytes: the machine code of an 8 MiB
/// component, and 64 MiB of memory after `init`.
const MAX_ANSWER: u64 = 256 * 1024 * 1024;
/// How much of what it says on standard error is looked at.
const MAX_SAID: u64 = 4_096;
/// What the kernel counts the processor's time in for programs (USER_HZ: 100 a
/// second on every architecture that this is built for).
const TICK: Duration = Duration::from_millis(10);
/// How often the child is looked after; small beside what a compilation takes.
const POLL: Duration = Duration::from_millis(2);

/// What a child printed, given `request`.
pub(super) fn run(
    mut command: Command,
    request: &[u8],
    time: Duration,
) -> Result<Vec<u8>, Failure> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_run(&error))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (status, answer, said) = std::thread::scope(|scope| {
        // A child that ends early reads no more: its status says why.
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(request)));
        let answer = scope.spawn(move || read(stdout, MAX_ANSWER));
        let said = scope.spawn(move || read(stderr, MAX_SAID));
        let status = wait(&mut child, time);
        (status, joined(answer), joined(said))
    });
    match status.map_err(|error| cannot_run(&error))? {
        None => Err(Failure::guest(
            Cause::Deadline,
            format!(
                "compiling it takes longer than {} s and was stopped",
                time.as_secs()
            ),
        )),
        Some(status) if status.success() => Ok(answer),
        Some(status) => Err(broke(status, &said)),
    }
}

/// The status; None if it did not end in time and was killed. A child that a
/// busy machine kept from running (it gives way to everybody) gets that much of
/// the processor's time, if it comes to it in four times as long.
fn wait(child: &mut Child, time: Duration) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let taken = started.elapsed();
        let had_its_time = || used(child.id()).is_none_or(|used| used >= time);
        if taken >= time * STARVED || taken >= time && had_its_time() {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// What a process has used of the processor, all its threads together; None if
/// nobody can tell.
fn used(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    of_stat(&stat)
}

/// The 14th and 15th member of proc_pid_stat(5). The second is the name of the
/// program, in brackets, and may hold anything.
fn of_stat(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_ascii_whitespace().skip(11);
    let mut ticks = || times.next()?.parse::<u64>().ok();
    Some(TICK * u32::try_from(ticks()? + ticks()?).unwrap_or(u32::MAX))
}

/// The beginning of a pipe; what comes after has nobody to go to.
fn read(pipe: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What is cut off is no answer, whatever cut it off.
        let _ = pipe.take(most).read_to_end(&mut bytes);
    }
    bytes
}

fn joined(reader: ScopedJoinHandle<'_, Vec<u8>>) -> Vec<u8> {
    reader.join().unwrap_or_default()
}

fn cannot_run(error: &io::Error) -> Failure {
    let message = format!(
        "it could not be compiled, because this executable cannot be run again ({error}): \
         give the process /proc, and leave to start others"
    );
    Failure::host(Cause::Program, message)
}

fn broke(status: ExitStatus, said: &[u8]) -> Failure {
    let said = String::from_utf8_lossy(said);
    // How Rust's library and the system name it; a machine that is out of
    // memory kills.
    let is_memory = ["memory allocation of", "annot allocate memory"]
        .iter()
        .any(|words| said.contains(words));
    if is_memory || status.signal() == Some(Signal::KILL.as_raw()) {
        let most = MEMORY / 1024 / 1024;
        let message =
            format!("compiling it takes more than the {most} MiB of memory there are for it");
        return Failure::guest(Cause::Memory, message);
    }
    let message = format!("the compiler broke off on it ({status})");
    Failure::guest(Cause::Program, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, request: &[u8], time: Duration) -> Result<Vec<u8>, Failure> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run(command, request, time)
    }

    const ENOUGH: Duration = Duration::from_secs(20);

    #[test]
    fn what_a_child_prints_is_read_however_much_it_is_given() {
        let request = vec![7; 4 * 1024 * 1024];
        assert_eq!(shell("cat", &request, ENOUGH).as_ref(), Ok(&request));
        assert_eq!(shell("echo ok", &request, ENOUGH), Ok(b"ok\n".to_vec()));
    }

    #[test]
    fn a_child_that_does_not_end_is_killed() {
        let started = Instant::now();
        for script in ["exec sleep 60", "exec yes", "exec yes >&2"] {
            let time = Duration::from_millis(300);
            let failure = shell(script, b"", time).expect_err("no answer");
            // Of which `yes` ends by itself, once nobody reads it.
            assert_eq!(failure.blame, crate::policy::Blame::Guest, "{script}");
        }
        let failure = shell("exec sleep 60", b"", Duration::from_millis(100));
        assert_eq!(failure.expect_err("killed").cause, Cause::Deadline);
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_child_that_others_keep_waiting_gets_the_time_that_it_is_owed() {
        // It does nothing for longer than its time, which is not its time then.
        let time = Duration::from_millis(400);
        let script = "sleep 0.8; echo late";
        assert_eq!(shell(script, b"", time), Ok(b"late\n".to_vec()));
        let started = Instant::now();
        let failure = shell("while :; do :; done", b"", time).expect_err("killed");
        assert_eq!(failure.cause, Cause::Deadline);
        assert!(started.elapsed() >= time);
    }

    #[test]
    fn the_time_of_a_process_is_read_whatever_it_is_called() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 90 0 0 0 150 50 3 4 20 0 1 0 5 6";
        assert_eq!(of_stat(stat), Some(Duration::from_secs(2)));
        assert_eq!(of_stat("7 (sh"), None);
        assert!(used(std::process::id()).is_some());
        assert_eq!(used(u32::MAX), None);
    }

    #[test]
    fn how_a_child_broke_off_is_told() {
        for (script, cause) in [
            ("exit 3", Cause::Program),
            ("kill -SEGV $$", Cause::Program),
            ("kill -KILL $$", Cause::Memory),
            (
                "echo memory allocation of 8 bytes failed >&2; kill -ABRT $$",
                Cause::Memory,
            ),
        ] {
            let failure = shell(script, b"", ENOUGH).expect_err(script);
            assert_eq!(failure.cause, cause, "{script}: {failure}");
        }
    }

    #[test]
    fn an_executable_that_cannot_be_run_is_the_hosts_fault() {
        let failure = run(Command::new("/nowhere"), b"", ENOUGH).expect_err("none");
        assert_eq!(failure.blame, crate::policy::Blame::Host);
        assert!(failure.message.contains("/proc"), "{failure}");
    }
}
