use std::time::{Duration, Instant};

use portcullis_cluster::proxy::{Fault, Rule};

use super::Bench;

fn on_create(fault: Fault) -> Rule {
    Rule::new(fault).verb("create").resource("configmaps")
}

#[test]
fn an_answer_that_is_a_fault_reaches_kubectl_and_nothing_is_written() {
    let bench = Bench::new();
    for (fault, said) in [
        (Fault::Conflict, "Error from server (Conflict): "),
        (Fault::InternalError, "Error from server (InternalError): "),
        (
            Fault::Unavailable,
            "Error from server (ServiceUnavailable): ",
        ),
        (Fault::Gone, "Error from server (Expired): "),
    ] {
        let injection = bench
            .proxy
            .inject(on_create(fault).account(&bench.account()));
        let refused = bench.create("a");
        assert_eq!(refused.code, 1, "{fault:?}: {refused:?}");
        assert!(refused.stderr.contains(said), "{fault:?}: {refused:?}");
        assert!(
            refused.stderr.contains("(injected)"),
            "{fault:?}: {refused:?}"
        );
        assert_eq!(injection.hits(), 1, "{fault:?}");
        assert!(!bench.is_there("a"), "{fault:?}");
    }
    let done = bench.kubectl(&["create", "configmap", "a"]);
    assert_eq!(done.code, 0, "the rules are gone: {done:?}");
}

#[test]
fn retry_after_is_obeyed_and_only_the_calls_named_go_wrong() {
    let bench = Bench::new();
    let rule = on_create(Fault::TooManyRequests { seconds: 1 }).calls(1..=2);
    let injection = bench.proxy.inject(rule);
    let started = Instant::now();
    bench.kubectl(&["create", "configmap", "a"]).ok().unwrap();
    assert!(
        started.elapsed() >= Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert_eq!((injection.hits(), bench.count("create")), (2, 3));
}

#[test]
fn a_reset_is_before_or_after_the_write_as_asked_for() {
    let bench = Bench::new();
    for (fault, name, is_written) in [
        (Fault::ResetBefore, "before", false),
        (Fault::ResetAfter, "after", true),
    ] {
        let injection = bench.proxy.inject(on_create(fault).calls(1..=1));
        let broken = bench.kubectl(&["create", "configmap", name]);
        assert_eq!(broken.code, 1, "{fault:?}: {broken:?}");
        assert!(
            broken.stderr.contains("connection reset by peer") || broken.stderr.contains("EOF"),
            "{fault:?}: {broken:?}"
        );
        assert_eq!(injection.hits(), 1, "{fault:?}");
        assert_eq!(bench.is_there(name), is_written, "{fault:?}");
    }
}

#[test]
fn latency_is_added_to_what_is_done_all_the_same() {
    let bench = Bench::new();
    let most = Duration::from_millis(700);
    let injection = bench.proxy.inject(on_create(Fault::Latency(most)));
    let started = Instant::now();
    bench.kubectl(&["create", "configmap", "a"]).ok().unwrap();
    assert!(started.elapsed() >= most);
    assert_eq!(injection.hits(), 1);
    assert!(bench.is_there("a"));
}

#[test]
fn an_outage_takes_every_connection_and_ends() {
    let bench = Bench::new();
    bench.kubectl(&["get", "configmaps"]).ok().unwrap();
    let outage = bench.proxy.outage();
    let broken = bench.kubectl(&["get", "configmaps", "--request-timeout=5s"]);
    assert_eq!(broken.code, 1, "{broken:?}");
    assert!(
        bench.is_there("kube-root-ca.crt"),
        "past the proxy it is there"
    );
    drop(outage);
    bench.kubectl(&["get", "configmaps"]).ok().unwrap();
}
