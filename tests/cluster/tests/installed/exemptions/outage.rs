use portcullis_cluster::proxy::{Fault, Proxy, Rule};
use portcullis_cluster::{Installation, User};

use super::{exemption, get, in_force, is_allowed, soon, write};
use crate::installed::{SOON, ask, place};
use crate::policies::{Turn, is_denied};
use crate::support::cluster;

#[test]
fn what_is_known_stays_in_force_while_the_api_server_is_away() {
    let _turn = Turn::take();
    let (mut installation, namespace) = place();
    let proxy = Proxy::start(cluster()).unwrap();
    installation.through(&proxy).unwrap();
    installation.start(&[&namespace], &["--settle=0s"]).unwrap();
    in_force(&installation, &namespace);
    write(&namespace, User::Admin, &exemption("legacy", 3_600))
        .ok()
        .unwrap();
    soon("exempted", &namespace, is_allowed);
    let outage = proxy.outage();
    proxy.expire_watches("policyexemptions");
    let is_away = |installation: &Installation<'_>| {
        let health = installation.health()?.concat();
        Ok(health.contains("watch/policyexemptions: not watched, what is known stays"))
    };
    installation.eventually("away", SOON, is_away).unwrap();
    assert!(is_allowed(&ask(&namespace)));
    get(&namespace, &["delete", "pex", "legacy"]);
    drop(outage);
    soon("denied after the outage", &namespace, is_denied);
    // A watch whose version is too old.
    let account = installation.account_name();
    let gone = Rule::new(Fault::Gone).account(&account).verb("watch");
    let gone = proxy.inject(gone.resource("policyexemptions"));
    let met = |_: &Installation<'_>| {
        proxy.expire_watches("policyexemptions");
        Ok(gone.hits() > 0)
    };
    installation.eventually("met", SOON, met).unwrap();
    write(&namespace, User::Admin, &exemption("legacy", 3_600))
        .ok()
        .unwrap();
    drop(gone);
    soon("exempted after 410", &namespace, is_allowed);
    installation.check().unwrap();
}
