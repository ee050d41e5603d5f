//! Engines in every layout of memory, each forced on the real executable.

use std::collections::BTreeMap;
use std::process::Command;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use crate::serve::Server;
use crate::support::{root, stdout};

/// `ioctl` on x86-64, its request PAGEMAP_SCAN (`linux/fs.h`), and ENOTTY.
const SYS_IOCTL: i64 = 16;
const PAGEMAP_SCAN: u64 = 0xc060_6610;
const ENOTTY: u32 = 25;

const EXAMPLE: &str = "examples/web.yaml";

/// The findings of a run under a limit of address space.
fn within(bytes: Option<u64>) -> String {
    let binary = env!("CARGO_BIN_EXE_portcullis");
    let mut command = match bytes {
        None => Command::new(binary),
        Some(bytes) => {
            let mut prlimit = Command::new("prlimit");
            prlimit.args([&format!("--as={bytes}"), binary]);
            prlimit
        }
    };
    let check = command
        .args(["check", "--output", "json", EXAMPLE])
        .current_dir(root());
    let output = check.output().expect("prlimit of util-linux is there");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "within {bytes:?}: {said}");
    stdout(&output)
}

#[test]
fn every_layout_gives_the_same_verdicts() {
    const GIB: u64 = 1024 * 1024 * 1024;
    let unlimited = within(None);
    // 256 slots of 64 MiB fit, of 4 GiB do not.
    assert_eq!(within(Some(40 * GIB)), unlimited);
    // Not even those of 64 MiB fit.
    assert_eq!(within(Some(8 * GIB)), unlimited);
}

fn layout(server: &Server) -> String {
    server.event["guests"]
        .as_str()
        .expect("the layout")
        .to_owned()
}

#[test]
fn the_start_up_line_says_which_layout_is_in_force() {
    assert_eq!(
        layout(&Server::start(&[])),
        "pooled, 4 GiB reserved each, reset by PAGEMAP_SCAN"
    );
    let within = |gib: u64| {
        let server = Server::within(gib * 1024 * 1024 * 1024);
        layout(&server)
    };
    assert_eq!(
        within(40),
        "pooled, 64 MiB reserved each with bounds checks, reset by PAGEMAP_SCAN"
    );
    assert_eq!(within(8), "allocated on demand");
}

#[test]
fn an_old_kernel_without_pagemap_scan_is_told() {
    // A filter holds for its thread and the processes that it starts.
    let started = std::thread::spawn(|| {
        apply_filter(&refusal()).expect("a filter");
        let server = Server::start(&[]);
        (layout(&server), within(None))
    });
    let (layout, findings) = started.join().expect("no panic");
    assert_eq!(
        layout,
        "pooled, 4 GiB reserved each, reset without PAGEMAP_SCAN"
    );
    assert_eq!(findings, within(None));
}

/// `ioctl(_, PAGEMAP_SCAN, ..)` is no such request; all else is allowed.
fn refusal() -> BpfProgram {
    let request = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, PAGEMAP_SCAN)
        .expect("a condition");
    let rules = BTreeMap::from([(
        SYS_IOCTL,
        vec![SeccompRule::new(vec![request]).expect("a rule")],
    )]);
    let refused = SeccompAction::Errno(ENOTTY);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, TargetArch::x86_64)
        .expect("a filter");
    filter.try_into().expect("a program")
}
