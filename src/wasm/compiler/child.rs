//! The two ends of a compilation in a child.

mod confine;
mod run;

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{Order, compile, wire};
use crate::policy::{Cause, Failure};
use crate::wasm::{AddressSpace, MAX_COMPONENT_BYTES, Start, engine};

/// How long one compilation may take, `init` included (the issue's figure).
const TIME: Duration = Duration::from_secs(30);
/// The largest order: a component and its settings, which lie in a WasmPolicy
/// document of at most 1.5 MiB (etcd's limit), escaped twice.
const MAX_ORDER: u64 = MAX_COMPONENT_BYTES as u64 + 8 * 1024 * 1024;
/// This process's own executable, whatever became of the file since it was
/// started (proc(5)).
const OWN_EXECUTABLE: &str = "/proc/self/exe";
/// The hidden command that ends in [`answer_order`].
const COMMAND: &str = "compile-policy";

/// Compiles in children, in at most as many at once as there are cores.
pub(in crate::wasm) struct Child {
    command: fn() -> Command,
    time: Duration,
    running: Mutex<usize>,
    ended: Condvar,
}

/// Machine code that a child printed. Only [`Child::compile`] makes it, of
/// what another run of this very executable answered to us alone, over a pipe
/// that nobody else has: it is as good as compiled here.
pub(in crate::wasm) struct FromChild {
    bytes: Vec<u8>,
}

impl FromChild {
    pub(in crate::wasm) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Child {
    /// Children that run this executable.
    pub(in crate::wasm) fn of_this_executable() -> Child {
        Child::of(own, TIME)
    }

    fn of(command: fn() -> Command, time: Duration) -> Child {
        Child {
            command,
            time,
            running: Mutex::new(0),
            ended: Condvar::new(),
        }
    }

    /// Compiles for the engine of this layout, on this machine.
    ///
    /// # Errors
    ///
    /// As [`compile`]; a compilation that took too long or too much memory; an
    /// executable that cannot be run again. It is not compiled in this process
    /// then: what a hostile component costs would have no bound.
    pub(in crate::wasm) fn compile(
        &self,
        space: AddressSpace,
        order: Order<'_>,
    ) -> Result<(FromChild, Start), Failure> {
        let head = wire::Order {
            space,
            settings: order.settings.to_owned(),
            limits: order.limits,
        };
        let request = wire::encode(&head, order.component)
            .map_err(|error| Failure::host(Cause::Program, error.to_string()))?;
        let answer = {
            let _slot = self.slot();
            run::run((self.command)(), &request, self.time)?
        };
        match wire::decode(&answer) {
            Some((wire::Answer::Failed(failure), _)) => Err(failure),
            Some((wire::Answer::Compiled { start, bytes }, code)) if bytes == code.len() => {
                let bytes = code.to_vec();
                Ok((FromChild { bytes }, start))
            }
            _ => Err(Failure::host(
                Cause::Program,
                "the compiler's answer cannot be read: report this",
            )),
        }
    }

    /// Waits until fewer than one child a core runs. Its time does not begin
    /// before.
    fn slot(&self) -> Slot<'_> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = self
            .ended
            .wait_while(running, |running| *running >= cores)
            .unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Slot(self)
    }
}

/// One of the children that may run.
struct Slot<'a>(&'a Child);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *running -= 1;
        self.0.ended.notify_one();
    }
}

/// This executable, once more. It gets nothing of ours but the order.
fn own() -> Command {
    let mut command = Command::new(Path::new(OWN_EXECUTABLE));
    command.arg(COMMAND).env_clear().current_dir("/");
    command
}

/// The child's end: reads an order from standard input, and writes its answer
/// to standard output.
///
/// # Errors
///
/// An order that cannot be read, limits that the system does not set, an
/// answer that nobody takes.
pub fn answer_order() -> io::Result<()> {
    confine::confine()?;
    let mut order = Vec::new();
    io::stdin().lock().take(MAX_ORDER).read_to_end(&mut order)?;
    let answer = answer(&order)?;
    let mut out = io::stdout().lock();
    out.write_all(&answer)?;
    out.flush()
}

fn answer(order: &[u8]) -> io::Result<Vec<u8>> {
    let no_order = "this is no order: Portcullis itself runs this command";
    let (head, component) = wire::decode::<wire::Order>(order)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, no_order))?;
    let target = engine::compiler(head.space).map_err(io::Error::other)?;
    let order = Order {
        component,
        settings: &head.settings,
        limits: head.limits,
    };
    let answer = match compile(&target, order) {
        Ok((machine, start)) => {
            let bytes = machine.bytes().len();
            wire::encode(&wire::Answer::Compiled { start, bytes }, machine.bytes())
        }
        Err(failure) => wire::encode(&wire::Answer::Failed(failure), &[]),
    };
    Ok(answer?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order<'static> {
        Order {
            component: b"hello",
            settings: "{}",
            limits: crate::policy::spec::Limits::default(),
        }
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_is_no_answer_is_not_taken_for_code() {
        let children: [fn() -> Command; 4] = [
            || shell("cat"),
            || shell("true"),
            || shell(r#"echo '{"Compiled":{"start":"init","bytes":9}}'; printf 12345678"#),
            || shell(r#"echo '{"Compiled":{"start":"novel","bytes":0}}'"#),
        ];
        for command in children {
            let child = Child::of(command, TIME);
            let failure = child.compile(AddressSpace::OnDemand, order());
            let failure = failure.map(|_| ()).expect_err("no answer");
            assert!(failure.message.contains("cannot be read"), "{failure}");
        }
    }

    #[test]
    fn no_more_children_than_cores_run_at_once() {
        let child = Child::of(|| shell("sleep 0.05"), TIME);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        std::thread::scope(|scope| {
            let compile = || {
                scope.spawn(|| child.compile(AddressSpace::OnDemand, order()).is_err());
            };
            (0..3 * cores).for_each(|_| compile());
            while *child.running.lock().expect("no panic") == 0 {
                std::thread::yield_now();
            }
            let mut most = 0;
            loop {
                let running = *child.running.lock().expect("no panic");
                most = most.max(running);
                if running == 0 {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!((1..=cores).contains(&most), "{most}");
        });
    }

    #[test]
    fn the_child_answers_with_code_or_with_a_failure() {
        let head = wire::Order {
            space: AddressSpace::OnDemand,
            settings: "{}".into(),
            limits: crate::policy::spec::Limits::default(),
        };
        let order = wire::encode(&head, b"hello").expect("an order");
        let answer = answer(&order).expect("an answer");
        let failed = wire::decode::<wire::Answer>(&answer);
        assert!(matches!(failed, Some((wire::Answer::Failed(_), b""))));
        assert!(super::answer(b"hello").is_err(), "no order");
    }
}
