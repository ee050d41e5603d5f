use std::path::PathBuf;

use portcullis_cluster::proxy::{Fault, Proxy, Rule};
use portcullis_cluster::{Answer, Namespace, User};

use super::{Audit, audit_as, create};
use crate::support::{cluster, deployment};

/// Five Deployments behind a proxy, and an account that sees everything.
struct Bench {
    config: PathBuf,
    proxy: Proxy<'static>,
    namespace: Namespace<'static>,
}

impl Bench {
    fn new() -> Bench {
        let namespace = cluster().namespace().unwrap();
        let account = format!("--serviceaccount={}:auditor", namespace.name());
        for arguments in [
            &["create", "serviceaccount", "auditor"][..],
            &[
                "create",
                "rolebinding",
                "auditor",
                "--clusterrole=cluster-admin",
                &account,
            ],
        ] {
            let done = namespace.kubectl(User::Admin, arguments, "");
            done.unwrap().ok().unwrap();
        }
        for number in 0..5 {
            create(
                &namespace,
                &deployment(&format!("web-{number}"), "nginx:latest"),
            );
        }
        // What controllers make of them is counted too.
        let pods = ["get", "pods", "-o", "name"];
        let are_all = |answer: &Answer| answer.stdout.lines().count() == 5;
        let most = std::time::Duration::from_secs(60);
        let made = namespace.eventually(User::Admin, &pods, most, are_all);
        made.unwrap();
        let proxy = Proxy::start(cluster()).unwrap();
        Bench {
            config: proxy.kubeconfig(namespace.name(), "auditor").unwrap(),
            proxy,
            namespace,
        }
    }

    /// One object a page.
    fn audit(&self) -> Audit {
        let place = ["--profile", "starter", "--namespace", self.namespace.name()];
        let pages = ["--requests-per-second", "500", "--page-size", "1"];
        audit_as(&self.config, &[&place[..], &pages].concat())
    }
}

fn lists(fault: Fault) -> Rule {
    Rule::new(fault).verb("list").resource("deployments")
}

#[test]
fn what_goes_wrong_between_two_pages_changes_nothing() {
    let bench = Bench::new();
    let whole = bench.audit();
    assert_eq!(whole.code, 1, "{whole:?}");
    for fault in [
        Fault::Gone,
        Fault::TooManyRequests { seconds: 1 },
        Fault::Unavailable,
        Fault::InternalError,
        Fault::ResetBefore,
        Fault::ResetAfter,
    ] {
        let injected = bench.proxy.inject(lists(fault).calls(3..=3));
        let audited = bench.audit();
        assert_eq!(injected.hits(), 1, "{fault:?}");
        assert_eq!(
            audited.list("findings"),
            whole.list("findings"),
            "{fault:?}"
        );
        assert_eq!(
            audited.report["summary"], whole.report["summary"],
            "{fault:?}"
        );
        assert_eq!(audited.code, 1, "{fault:?}: {audited:?}");
    }
}

#[test]
fn a_list_that_expires_again_and_again_is_given_up_and_told() {
    let bench = Bench::new();
    let _injected = bench.proxy.inject(lists(Fault::Gone));
    let audited = bench.audit();
    assert_eq!(audited.code, 2, "{audited:?}");
    let failures = audited.failures();
    let said = "`deployments.apps` could not be listed";
    assert!(
        failures.len() == 1 && failures[0].contains(said) && failures[0].contains("(410)"),
        "{failures:?}"
    );
    let of_pods = audited.findings();
    assert!(!of_pods.is_empty(), "Pods and ReplicaSets were judged");
}

#[test]
fn no_more_requests_are_sent_than_agreed() {
    let bench = Bench::new();
    let started = std::time::Instant::now();
    let place = [
        "--profile",
        "starter",
        "--namespace",
        bench.namespace.name(),
    ];
    let audited = audit_as(
        &bench.config,
        &[
            &place[..],
            &["--requests-per-second", "5", "--page-size", "1"],
        ]
        .concat(),
    );
    assert_eq!(audited.code, 1, "{audited:?}");
    let lists: u64 = bench.proxy.counts().values().sum();
    // Before it begins it asks for exemptions, once.
    let paced = u32::try_from(lists - 1).unwrap();
    let least = std::time::Duration::from_millis(200) * (paced - 1);
    let took = started.elapsed();
    assert!(lists > 15 && took >= least, "{lists} requests in {took:?}");
}
