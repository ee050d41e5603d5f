use portcullis_cluster::User;

use super::{audit_as, create};
use crate::support::{cluster, deployment};

#[test]
fn what_one_may_not_list_is_reported_and_the_rest_is_judged() {
    let namespace = cluster().namespace().unwrap();
    create(&namespace, &deployment("web", "nginx:latest"));
    let dev = cluster().kubeconfig(User::Dev);
    let name = namespace.name();
    // The role `edit` may see the namespace and workloads, and no bindings.
    let audited = audit_as(&dev, &["--profile", "starter", "--namespace", name]);
    assert_eq!(audited.code, 2, "{audited:?}");
    let failures = audited.failures();
    let bindings = "`rolebindings.rbac.authorization.k8s.io` could not be listed";
    let said = failures.iter().find(|cause| cause.contains(bindings));
    let said = said.unwrap_or_else(|| panic!("{failures:?}"));
    for part in [
        format!("in the namespace `{name}`, none was judged: grant the right to list it"),
        "User \"dev-user\" cannot list resource \"rolebindings\"".to_owned(),
    ] {
        assert!(said.contains(&part), "{said}");
    }
    let latest = format!("Deployment {name}/web image-latest");
    assert!(audited.findings().contains(&latest), "{audited:?}");
}

#[test]
fn who_may_list_nothing_is_told_what_to_do() {
    let namespace = cluster().namespace().unwrap();
    create(&namespace, &deployment("web", "nginx:latest"));
    let dev = cluster().kubeconfig(User::Dev);
    let audited = audit_as(&dev, &["--profile", "starter"]);
    assert_eq!((audited.code, audited.findings()), (2, vec![]));
    let deployments = "`deployments.apps` could not be listed, none was judged: grant the right to \
        list it, or give --namespace where you have it";
    let failures = audited.failures();
    assert!(
        failures.iter().any(|cause| cause.contains(deployments)),
        "{failures:?}"
    );
    let policies = audit_as(&dev, &[]);
    assert_eq!(policies.code, 2);
}

#[test]
fn nobody_at_the_other_end_is_an_error_that_says_so() {
    let namespace = cluster().namespace().unwrap();
    let config = std::fs::read_to_string(cluster().kubeconfig(User::Admin)).unwrap();
    // Nothing listens on port 1.
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1".into();
    let file = std::env::temp_dir().join(format!("{}.kubeconfig", namespace.name()));
    std::fs::write(&file, config.to_string()).unwrap();
    let audited = audit_as(&file, &["--profile", "starter"]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(audited.code, 2, "{audited:?}");
    let said = "the API server was asked what it has: ";
    assert!(
        audited.stderr.contains(said) && audited.stderr.contains("refused"),
        "{audited:?}"
    );
    assert_eq!(audited.stderr.lines().count(), 1, "{audited:?}");
}
