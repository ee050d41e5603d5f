//! Building `plane`, once for each state of its sources.

use std::path::PathBuf;

use anyhow::Result;

use crate::go::Program;

/// What the servers call themselves: the version of `k8s.io/kubernetes` in
/// go.mod, whose module does not know it.
const VERSION: &str = "v1.36.3";
const MAJOR: &str = "1";
const MINOR: &str = "36";

/// The program, built if it is not there yet: minutes and 4 GB of Go's caches
/// the first time, seconds after a change.
///
/// # Errors
///
/// Go is missing or cannot build it.
pub fn build() -> Result<PathBuf> {
    let variable =
        |name: &str, value: &str| format!("-X k8s.io/component-base/version.{name}={value}");
    let plane = Program {
        name: "plane",
        package: ".",
        says: "building a Kubernetes control plane: minutes the first time, then seconds",
        linker: vec![
            variable("gitVersion", VERSION),
            variable("gitMajor", MAJOR),
            variable("gitMinor", MINOR),
        ],
    };
    plane.build()
}
