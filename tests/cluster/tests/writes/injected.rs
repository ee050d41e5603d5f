use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_cluster::installation::edit;
use portcullis_cluster::{Installation, User};
use serde_json::json;

use super::{SOON, STRICT, installed, is_closed, is_open, verdict};

/// What cert-manager's injector does: it writes the CA of the annotated
/// Certificate into every entry, as a field manager of its own.
fn inject(installation: &Installation<'_>, bundle: &str) {
    let kinds = [
        "validatingwebhookconfiguration",
        "mutatingwebhookconfiguration",
    ];
    for (kind, live) in kinds.iter().zip(installation.configurations().unwrap()) {
        let count = live["webhooks"].as_array().map_or(0, Vec::len);
        let patch = (0..count).map(|index| {
            let path = format!("/webhooks/{index}/clientConfig/caBundle");
            json!({"op": "add", "path": path, "value": bundle})
        });
        let patch = serde_json::Value::from_iter(patch).to_string();
        let manager = "--field-manager=cert-manager-cainjector";
        let patch = [
            "patch",
            kind,
            installation.name(),
            "--type=json",
            manager,
            "-p",
            &patch,
        ];
        let answer = installation.home.kubectl(User::Admin, &patch, "").unwrap();
        assert_eq!(answer.code, 0, "{answer:?}");
    }
}

fn bundles(installation: &Installation<'_>) -> Vec<String> {
    let both = installation.configurations().unwrap();
    let entries = both
        .iter()
        .flat_map(|one| one["webhooks"].as_array().into_iter().flatten());
    let bundles = entries.map(|entry| {
        entry["clientConfig"]["caBundle"]
            .as_str()
            .unwrap_or_default()
    });
    bundles.map(ToOwned::to_owned).collect()
}

/// Somebody switches the first entry off.
fn edit_is_mended(installation: &Installation<'_>) {
    let never = json!([{"name": "never", "expression": "false"}]);
    let (kind, name) = ("validatingwebhookconfiguration", installation.name());
    let edit = edit("matchConditions", &never);
    let patch = ["patch", kind, name, "--type=json", "-p", &edit];
    let patched = installation.home.kubectl(User::Admin, &patch, "").unwrap();
    assert_eq!(patched.code, 0, "{patched:?}");
    let is_mended = |installation: &Installation<'_>| {
        let [validating, _] = installation.configurations()?;
        Ok(!validating.to_string().contains("\"never\""))
    };
    let most = Duration::from_secs(10);
    installation
        .eventually("it is mended", most, is_mended)
        .unwrap();
}

#[test]
fn the_bundle_of_cert_manager_is_waited_for_and_never_fought() {
    let (mut installation, namespace) = installed();
    let certs = installation.foreign_certificates().unwrap();
    let file = |name: &str| certs.join(name).display().to_string();
    let (cert, key) = (file("tls.crt"), file("tls.key"));
    let from = format!("{}/portcullis", installation.home.name());
    let options = [
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--ca-from",
        &from,
        "--settle=1s",
    ];
    installation
        .start(&[&namespace], &[&STRICT[..], &options].concat())
        .unwrap();
    installation
        .eventually("it waits, open", SOON, is_open)
        .unwrap();
    for live in installation.configurations().unwrap() {
        let annotations = &live["metadata"]["annotations"];
        assert_eq!(
            annotations["cert-manager.io/inject-ca-from"],
            from.as_str(),
            "{live}"
        );
    }
    assert!(
        installation
            .get("secret/portcullis-certificates")
            .unwrap()
            .is_null()
    );

    let pem = std::fs::read_to_string(certs.join("ca.crt")).unwrap();
    let bundle = STANDARD.encode(&pem);
    inject(&installation, &bundle);
    installation
        .eventually("it fails closed", SOON, is_closed)
        .unwrap();
    assert_eq!(verdict(&namespace).code, 1);
    assert!(bundles(&installation).iter().all(|one| *one == bundle));

    edit_is_mended(&installation);
    assert!(bundles(&installation).iter().all(|one| *one == bundle));
    // A renewed CA is cert-manager's to write.
    let renewed = STANDARD.encode(pem.repeat(2));
    inject(&installation, &renewed);
    std::thread::sleep(Duration::from_secs(7));
    assert!(
        bundles(&installation).iter().all(|one| *one == renewed),
        "a resync later"
    );
    assert_eq!(verdict(&namespace).code, 1);
}
