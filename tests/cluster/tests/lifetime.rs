use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portcullis_cluster::{Cluster, Portcullis, User};

/// Tells this executable, started again, to be the process that is killed.
const VICTIM: &str = "PORTCULLIS_TEST_VICTIM";

/// Command lines of processes that have to do with a folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().map_while(Result::ok);
    processes
        // A process that is gone by now has no command line.
        .filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok())
        .filter(|line| line.contains(&folder))
        .map(|line| line.replace('\0', " "))
        .collect()
}

fn assert_gone(folder: &Path) {
    let started = Instant::now();
    while folder.exists() || !processes_of(folder).is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{} is there: {:#?}",
            folder.display(),
            processes_of(folder)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn names_of_namespaces(cluster: &Cluster) -> String {
    let list = ["get", "namespaces", "-o", "name"];
    cluster
        .kubectl(User::Admin, &list, "")
        .unwrap()
        .ok()
        .unwrap()
}

#[test]
fn clusters_run_beside_each_other_and_are_gone_when_dropped() {
    let started = Instant::now();
    let other = std::thread::spawn(|| Cluster::start().unwrap());
    let one = Cluster::start().unwrap();
    let other = other.join().unwrap();
    eprintln!("two clusters at once are up after {:?}", started.elapsed());
    let namespace = one.namespace_named("mine").unwrap();
    assert!(names_of_namespaces(&one).contains("namespace/mine"));
    assert!(!names_of_namespaces(&other).contains("namespace/mine"));
    drop(namespace);
    let folders = [&one, &other].map(|cluster| cluster.folder().to_owned());
    for folder in &folders {
        assert_eq!(processes_of(folder).len(), 6, "{:#?}", processes_of(folder));
    }
    drop((one, other));
    folders.iter().for_each(|folder| assert_gone(folder));
}

#[test]
fn a_cluster_is_gone_after_a_panic() {
    let panicking = std::thread::spawn(|| {
        let cluster = Cluster::start().unwrap();
        std::panic::panic_any(cluster.folder().to_owned());
    });
    let folder = panicking.join().expect_err("a panic");
    assert_gone(folder.downcast_ref::<PathBuf>().expect("its folder"));
}

/// Not a test by itself: the next one starts and kills it.
#[test]
fn victim() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let cluster = Cluster::start().unwrap();
    let portcullis = Portcullis::start(&cluster, &[]).unwrap();
    let folders = [cluster.folder().to_owned(), portcullis.ca()];
    for folder in folders {
        println!("folder {}", folder.display());
    }
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn everything_is_gone_after_the_process_is_killed() {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifetime::victim", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let folders: Vec<PathBuf> = lines
        .map_while(Result::ok)
        .filter_map(|line| Some(PathBuf::from(line.split("folder ").nth(1)?)))
        .take(2)
        .collect();
    let portcullis = folders[1].ancestors().nth(2).unwrap();
    assert!(!processes_of(portcullis).is_empty());
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_gone(&folders[0]);
    assert_gone(portcullis);
}

#[test]
fn a_missing_go_is_one_line_with_what_to_install() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifetime::victim", "--nocapture"])
        .env(VICTIM, "1")
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let line = "Go is missing: install Go 1.26 (https://go.dev/dl), the cluster is built with it";
    assert!(!output.status.success());
    assert!(said.contains(line), "{said}");
}

#[test]
fn what_does_not_start_says_why() {
    let cluster = crate::support::cluster();
    let error = Portcullis::start(cluster, &["--policies", "/nowhere"]).err();
    let text = format!("{:#}", error.expect("an error"));
    assert!(
        text.contains("portcullis has ended") && text.contains("/nowhere"),
        "{text}"
    );
    let error = Cluster::foreign(Path::new("/nowhere")).err();
    let text = format!("{:#}", error.expect("an error"));
    assert!(text.starts_with("the kubeconfig /nowhere: "), "{text}");
    assert!(!text.contains('\n'), "{text}");
}
