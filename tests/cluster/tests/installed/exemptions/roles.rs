use portcullis_cluster::User;

use super::{exemption, get, write};
use crate::installed::place;
use crate::policies::{Turn, eventually};
use crate::support::cluster;

#[test]
fn whom_the_role_is_bound_to_may_forgive_and_who_reads_may_see_why() {
    let _turn = Turn::take();
    let (installation, namespace) = place();
    let can = |user: User, verb: &str| {
        let can = ["auth", "can-i", verb, "policyexemptions.portcullis.dev"];
        namespace.kubectl(user, &can, "").unwrap().stdout.trim() == "yes"
    };
    // What is aggregated is a controller's to add.
    eventually("may read", || can(User::Dev, "list"), |may| *may);
    for verb in ["create", "update", "patch", "delete"] {
        assert!(!can(User::Dev, verb), "{verb}");
    }
    let bind = ["create", "rolebinding", "exempting"];
    let role = format!("--clusterrole={}-exemptions-edit", installation.name());
    get(&namespace, &[&bind[..], &[&role, "--group=devs"]].concat());
    eventually("may write", || can(User::Dev, "create"), |may| *may);
    let written = write(&namespace, User::Dev, &exemption("legacy", 3_600));
    written.ok().unwrap();
    let elsewhere = cluster().namespace().unwrap();
    let refused = write(&elsewhere, User::Dev, &exemption("legacy", 3_600));
    assert!(refused.stderr.contains("is forbidden"), "{refused:?}");
    drop(installation);
}
