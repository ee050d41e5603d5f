use std::time::Duration;

use portcullis_cluster::Installation;

use super::{SOON, STRICT, closed, is_closed, verdict};

/// The Lease runs out after 15 s, and a try comes every 2 s; the rest is for a
/// busy machine.
const HAND_OVER: Duration = Duration::from_secs(30);

fn is_led_by_another(than: &str) -> impl Fn(&Installation<'_>) -> anyhow::Result<bool> {
    move |installation| Ok(installation.leader()?.is_some_and(|leader| leader != than))
}

#[test]
fn one_of_two_replicas_writes_and_the_other_takes_over_when_it_is_killed() {
    let (mut installation, namespace) = closed(&[]);
    installation.start(&[&namespace], &STRICT).unwrap();
    let both_serve = |installation: &Installation<'_>| {
        Ok(installation
            .metric("portcullis_certificate_not_after_seconds")?
            .iter()
            .all(|end| *end > 0.0))
    };
    installation
        .eventually("both have the certificate", SOON, both_serve)
        .unwrap();
    let certificates = installation
        .metric("portcullis_certificate_not_after_seconds")
        .unwrap();
    assert!(
        certificates.len() == 2 && certificates[0] == certificates[1],
        "{certificates:?}"
    );
    assert_eq!(
        installation.metric("portcullis_leader").unwrap(),
        [1.0, 0.0]
    );
    let before = installation.configurations().unwrap();

    assert_eq!(installation.leader().unwrap().as_deref(), Some("replica-0"));
    installation.kill("replica-0");
    let took =
        installation.eventually("the other leads", HAND_OVER, is_led_by_another("replica-0"));
    eprintln!("handed over after a kill in {:?}", took.unwrap());
    let leads =
        |installation: &Installation<'_>| Ok(installation.metric("portcullis_leader")? == [1.0]);
    installation.eventually("it knows", SOON, leads).unwrap();
    assert!(
        is_closed(&installation).unwrap(),
        "a crash takes nothing away"
    );
    let after = installation.configurations().unwrap();
    let webhooks = |both: [serde_json::Value; 2]| both.map(|one| one["webhooks"].clone());
    assert_eq!(
        webhooks(before),
        webhooks(after),
        "another leader changes nothing"
    );
    assert_eq!(verdict(&namespace).code, 1);
}

#[test]
fn a_replica_that_ends_in_order_hands_over_at_once_and_takes_nothing_away() {
    let (mut installation, namespace) = closed(&[]);
    installation.start(&[&namespace], &STRICT).unwrap();
    installation.terminate("replica-0").unwrap();
    let took =
        installation.eventually("the other leads", HAND_OVER, is_led_by_another("replica-0"));
    let took = took.unwrap();
    eprintln!("handed over after an end in {took:?}");
    assert!(
        took < Duration::from_secs(8),
        "without waiting for the Lease: {took:?}"
    );
    assert!(is_closed(&installation).unwrap());
    assert_eq!(verdict(&namespace).code, 1);
}
