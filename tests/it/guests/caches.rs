//! The cache of compiled code where the disk is not as it should be. Each run
//! is one of the executable, with a policy that it has to compile.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::is_full;
use super::text::Guest;
use crate::support::{Scratch, root, stderr, stdout};

/// A folder with this many policies of the user's own, and a Pod.
struct Own(Scratch);

impl Own {
    fn new(count: usize) -> Own {
        let scratch = Scratch::new();
        for index in 0..count {
            let guest =
                Guest::default().described(|d| d["summary"] = json!(format!("number {index}")));
            scratch.file(&format!("p/own{index}.wasm"), guest.component());
            let policy = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
                "metadata": {"name": format!("own{index}")},
                "spec": {"program": {"file": format!("own{index}.wasm")}}});
            scratch.file(&format!("p/own{index}.json"), policy.to_string());
        }
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "a", "image": "a:1"}]}});
        scratch.file("pod.json", pod.to_string());
        Own(scratch)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    /// `check` with a cache in `folder`, started by a shell after `before`.
    fn check_after(&self, before: &str, folder: &str) -> Command {
        let mut shell = Command::new("unshare");
        shell.args(["-rm", "sh", "-ec", &format!("{before}; exec \"$@\""), "sh"]);
        shell.arg(env!("CARGO_BIN_EXE_portcullis"));
        self.arguments(&mut shell, folder);
        shell
    }

    fn check(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        self.arguments(&mut command, &self.cache().display().to_string());
        command
    }

    fn arguments(&self, command: &mut Command, folder: &str) {
        command.args(["check", "--output", "json", "--profile", "none"]);
        command.args(["--policies", &self.path("p"), "--code-cache", folder]);
        command
            .arg(self.path("pod.json"))
            .current_dir(root())
            .env("NO_COLOR", "1");
    }
}

/// What was said, of a run in which every policy judged.
fn judged(output: &Output) -> String {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_str(&stdout(output)).expect("a report");
    assert_eq!(report["failures"], json!([]), "{said}");
    assert_eq!(report["summary"]["objects"], 1);
    said
}

fn run(mut command: Command) -> String {
    judged(&command.output().expect("it starts"))
}

fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(end));
    paths
}

/// Whether this machine lets tests mount; the slow tests insist on it.
fn may_mount() -> bool {
    let probe = "mount -t tmpfs none /mnt";
    let status = Command::new("unshare")
        .args(["-rm", "sh", "-c", probe])
        .status();
    let may = status.is_ok_and(|status| status.success());
    assert!(
        may || !is_full(),
        "`unshare -rm` and `mount` do not work here"
    );
    may
}

/// One warning, on one line.
fn assert_said_once(said: &str, part: &str) {
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("warning: ") && said.contains(part),
        "{said}"
    );
}

#[test]
fn entries_that_others_could_have_written_are_made_anew_and_it_is_said() {
    let own = Own::new(1);
    assert_eq!(run(own.check()), "");
    let entry = files(&own.cache(), ".code").remove(0);
    assert_eq!(run(own.check()), "", "it is taken");
    let good = fs::read(&entry).expect("an entry");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    fs::set_permissions(&entry, Permissions::from_mode(0o666)).expect("changed");
    assert_said_once(&run(own.check()), "passed over");
    assert_eq!(mode(&entry), 0o600, "it was written again");
    let elsewhere = own.0.file("elsewhere", &good);
    fs::remove_file(&entry).expect("removed");
    std::os::unix::fs::symlink(&elsewhere, &entry).expect("a link");
    assert_said_once(&run(own.check()), "passed over");
    assert!(!fs::symlink_metadata(&entry).expect("there").is_symlink());
    fs::remove_file(&entry).expect("removed");
    let made = Command::new("mkfifo")
        .arg(&entry)
        .status()
        .expect("mkfifo of coreutils");
    assert!(made.success());
    assert_said_once(&run(own.check()), "passed over");
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    fs::write(&entry, flipped).expect("written");
    assert_said_once(&run(own.check()), "damaged");
    assert_eq!(run(own.check()), "");
}

#[test]
fn a_key_that_others_could_read_is_not_used() {
    let own = Own::new(2);
    run(own.check());
    let key = own.cache().join("key");
    for mode in [0o644, 0o620] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).expect("changed");
        assert_said_once(&run(own.check()), "this key of the code cache");
    }
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("changed");
    fs::write(&key, "short").expect("written");
    assert_said_once(&run(own.check()), "remove the folder");
    fs::remove_dir_all(own.cache()).expect("removed");
    assert_eq!(run(own.check()), "", "as it says");
    fs::set_permissions(own.cache(), Permissions::from_mode(0o777)).expect("changed");
    assert_said_once(&run(own.check()), "chmod 700");
}

#[test]
fn without_room_or_leave_to_write_policies_judge_all_the_same() {
    let own = Own::new(3);
    // No leave: nothing can be made there, not even by root.
    let nowhere = {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        own.arguments(&mut command, "/proc/nowhere/cache");
        run(command)
    };
    assert_said_once(&nowhere, "not kept");
    if !may_mount() {
        return;
    }
    let disk = own.path("disk");
    fs::create_dir(&disk).expect("a folder");
    // Room for the key, and for none of the entries.
    let full = format!("mount -t tmpfs -o size=8k,mode=700 none {disk}");
    assert_said_once(&run(own.check_after(&full, &disk)), "No space left");
    let fuller = format!("{full}; head -c 8192 /dev/zero > {disk}/other || true");
    assert_said_once(&run(own.check_after(&fuller, &disk)), "not kept");
    let empty = format!("mount -t tmpfs -o size=8k,mode=700,ro none {disk}");
    assert_said_once(&run(own.check_after(&empty, &disk)), "Read-only");
    // A read-only disk that is filled: it is used, and nothing need be said.
    run(own.check());
    let cache = own.cache().display().to_string();
    let filled = format!("mount --bind {cache} {disk}; mount -o remount,bind,ro {disk}");
    assert_eq!(run(own.check_after(&filled, &disk)), "");
    let entry = files(&own.cache(), ".code").remove(0);
    fs::write(&entry, "damaged").expect("written");
    assert_said_once(&run(own.check_after(&filled, &disk)), "passed over");
    assert_eq!(fs::read(&entry).expect("there"), b"damaged");
}

#[test]
fn processes_that_share_a_folder_do_not_disturb_each_other() {
    let own = Own::new(2);
    let spawn = |_| {
        let mut command = own.check();
        let piped = std::process::Stdio::piped;
        command.stdout(piped()).stderr(piped());
        command.spawn().expect("it starts")
    };
    let running: Vec<_> = (0..4).map(spawn).collect();
    for child in running {
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(judged(&output), "");
    }
    assert_eq!(files(&own.cache(), ".code").len(), 2);
    assert_eq!(
        files(&own.cache(), "").len(),
        3,
        "nothing half done is left"
    );
    assert_eq!(run(own.check()), "");
}
