//! A real Kubernetes control plane and kubelet for as long as they are needed,
//! and Portcullis running against them. For tests and for `cargo xtask`.
//!
//! `plane` (the Go module beside this crate) is the program; [`Cluster`] runs
//! it, [`shared()`] gives one cluster to many tests, each in a [`Namespace`] of
//! its own, and [`Portcullis`] is the webhook under test.
//!
//! What is started here ends with the process that started it, however that
//! ends: each child's standard input is a pipe that only we hold, and `plane`
//! ends when it is closed.
#![allow(clippy::print_stderr, reason = "a build of minutes says so")]

mod balancer;
mod boot;
pub mod caller;
mod certificates;
mod cluster;
pub mod container;
pub mod etcd;
mod flags;
mod folder;
mod go;
pub mod helm;
mod http;
pub mod installation;
mod kubeconfig;
mod kubectl;
mod line;
mod meddler;
mod memory;
mod namespace;
mod neighbours;
pub mod plane;
mod portcullis;
mod process;
pub mod proxy;
mod registration;
pub mod release;
mod services;
mod shared;
pub mod story;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub use balancer::Balancer;
pub use cluster::{AuditLevel, Cluster};
pub use flags::{AUDITED, LOGGED};
pub use installation::Installation;
pub use kubectl::{Answer, Program, User};
pub use line::Line;
pub use meddler::{Meddler, Turn};
pub use memory::Memory;
pub use namespace::Namespace;
pub use portcullis::{BINARY_VARIABLE, Portcullis, binary};
pub use process::STOP_FILE;
pub use registration::Registration;
pub use shared::{KUBECONFIG_VARIABLE, shared};

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A name that nobody else uses, in this cluster or on this machine.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let seconds = time::OffsetDateTime::now_utc().unix_timestamp();
    format!(
        "portcullis-test-{seconds:x}-{:x}-{number}",
        std::process::id()
    )
}
