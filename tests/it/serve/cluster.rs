//! `--cluster` with what cannot be right.

use crate::support::{Scratch, run, stderr};

/// What is said of these options, in one line.
fn refused(options: &[&str]) -> String {
    let output = run(&[&["serve", "--cluster"], options].concat());
    assert_eq!(output.status.code(), Some(2), "{options:?}");
    stderr(&output)
}

#[test]
fn somebody_else_s_certificate_needs_its_ca_or_no_registration() {
    let files = ["--tls-cert=none", "--tls-key=none"];
    let said = refused(&files);
    assert!(said.contains("needs the CA, too: give --ca-from"), "{said}");
    let said = refused(&["--without-registration"]);
    assert!(said.contains("--tls-cert"), "{said}");
    let said = refused(&[&files[..], &["--ca-from", "issuer"]].concat());
    assert!(said.contains("write `NAMESPACE/NAME`"), "{said}");
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
}
