//! `--cluster` with what cannot be right.

use crate::support::{Scratch, run, stderr};

/// What is said of these options, in one line.
fn refused(options: &[&str]) -> String {
    let files = ["serve", "--tls-cert=none", "--tls-key=none", "--cluster"];
    let output = run(&[&files[..], options].concat());
    assert_eq!(output.status.code(), Some(2), "{options:?}");
    stderr(&output)
}

#[test]
fn policies_come_from_files_or_from_a_cluster() {
    for options in [["--policies", "a.yaml"], ["--profile", "strict"]] {
        let said = refused(&options);
        assert!(said.contains("cannot be used with"), "{said}");
    }
}

#[test]
fn a_cluster_that_cannot_be_found_is_told_in_one_line() {
    let scratch = Scratch::new();
    let broken = scratch.file("broken.yaml", "clusters: 1\n");
    let empty = scratch.file("empty.yaml", "apiVersion: v1\nkind: Config\n");
    let missing = scratch.path().join("missing").display().to_string();
    for file in [&broken, &empty, &missing] {
        let said = refused(&["--namespace", "home", "--kubeconfig", file]);
        let last = said.trim_end().lines().last().unwrap_or_default();
        let place = format!("error: --kubeconfig {file}: ");
        assert!(last.starts_with(&place), "{said}");
    }
    let said = refused(&["--kubeconfig", &broken]);
    assert!(said.contains("give --namespace NAME"), "{said}");
}
