//! Runs the model of the protocol, which is a workspace of its own (`model/`).

use std::env;
use std::path::Path;
use std::process::Command;

#[test]
fn the_protocol_holds_and_no_safeguard_can_be_spared() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Beside this build's own results, so that what both need is built once.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let target = target.expect("the folder for tests is in the target folder");
    let done = Command::new(env!("CARGO"))
        .args(["test", "--locked", "--manifest-path"])
        .arg(crate_dir.join("model/Cargo.toml"))
        .env("CARGO_TARGET_DIR", target)
        .output()
        .expect("cargo runs");
    let told = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}\n{errors}");
    assert!(told.contains("no_safeguard_can_be_spared ... ok"), "{told}");
}
