use serde_json::json;

use super::*;

fn daemon_set(namespace: &str, spec: Value) -> DaemonSet {
    let set = json!({
        "metadata": {"name": "d", "namespace": namespace},
        "spec": {"selector": {}, "template": {"spec": spec}},
    });
    serde_json::from_value(set).expect("a DaemonSet")
}

fn host_path(path: &str) -> Value {
    json!({"containers": [], "volumes": [{"name": "v", "hostPath": {"path": path}}]})
}

fn service(namespace: &str, labels: Value, spec: Value) -> Service {
    let service = json!({
        "metadata": {"name": "s", "namespace": namespace, "labels": labels}, "spec": spec});
    serde_json::from_value(service).expect("a Service")
}

fn found(world: &World) -> Vec<String> {
    let needs = needs(world);
    needs
        .iter()
        .map(|need| format!("{}: {}", need.namespace, need.what))
        .collect()
}

fn of_sets(daemon_sets: Vec<DaemonSet>) -> Vec<String> {
    found(&World {
        daemon_sets,
        ..World::default()
    })
}

#[test]
fn daemon_sets_that_nodes_need_are_known_by_what_they_mount() {
    for (path, what) in [
        ("/etc/cni/net.d", Some("the pod network")),
        ("/opt/cni", Some("the pod network")),
        ("/var/lib/kubelet/plugins_registry/", Some("volumes")),
        (
            "/var/snap/microk8s/common/var/lib/kubelet/plugins_registry",
            Some("volumes"),
        ),
        ("/opt/cnix", None),
        ("/var/log", None),
        ("/var/lib/kubelet/device-plugins", None),
    ] {
        let found = of_sets(vec![daemon_set("net", host_path(path))]);
        let expected: Vec<String> = what
            .map(|what| format!("net: {what} (DaemonSet d)"))
            .into_iter()
            .collect();
        assert_eq!(found, expected, "{path}");
    }
    let proxy = json!({"hostNetwork": true, "containers": [{"name": "kube-proxy"}]});
    assert_eq!(
        of_sets(vec![daemon_set("p", proxy)]),
        ["p: the service network (DaemonSet d)"]
    );
    let exporter = json!({"hostNetwork": true, "containers": [{"name": "node-exporter"}],
        "tolerations": [{"operator": "Exists"}]});
    assert_eq!(
        of_sets(vec![daemon_set("monitoring", exporter)]),
        Vec::<String>::new()
    );
}

#[test]
fn dns_and_cert_manager_are_known_by_the_labels_of_their_service() {
    let services = vec![
        service("dns", json!({"k8s-app": "kube-dns"}), json!({})),
        service(
            "cm",
            json!({"app.kubernetes.io/name": "cert-manager"}),
            json!({}),
        ),
    ];
    let mut world = World {
        services,
        ..World::default()
    };
    assert_eq!(found(&world), ["dns: DNS (Service s)"]);
    world.uses_cert_manager = true;
    assert_eq!(
        found(&world),
        ["cm: our certificate (Service s)", "dns: DNS (Service s)"]
    );
}

#[test]
fn a_registry_in_the_cluster_is_known_by_name_address_and_port() {
    let spec = json!({"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"],
        "ports": [{"port": 5000, "nodePort": 30500}]});
    for (image, is_it) in [
        ("s.reg/portcullis:1", true),
        ("s.reg.svc/portcullis:1", true),
        ("s.reg.svc.cluster.local:5000/portcullis:1", true),
        ("10.96.0.7:5000/portcullis:1", true),
        ("localhost:30500/portcullis@sha256:00", true),
        ("192.168.0.4:30500/portcullis", true),
        ("s.regular.svc/portcullis:1", false),
        ("s.reg.example.org/portcullis:1", false),
        ("localhost:5000/portcullis:1", false),
        ("ghcr.io/portcullis/portcullis:1", false),
        ("portcullis/portcullis:1", false),
        ("portcullis", false),
    ] {
        let world = World {
            services: vec![service("reg", json!({}), spec.clone())],
            images: vec![image.to_owned()],
            ..World::default()
        };
        assert_eq!(!found(&world).is_empty(), is_it, "{image}");
    }
    let mirror = json!({"containers": [{"name": "r", "ports": [{"containerPort": 5000, "hostPort": 5000}]}]});
    let world = World {
        daemon_sets: vec![daemon_set("reg", mirror)],
        images: vec!["localhost:5000/portcullis:1".to_owned()],
        ..World::default()
    };
    assert_eq!(
        found(&world),
        ["reg: the registry of our image (DaemonSet d)"]
    );
}

fn entry(policy: &str, resources: &[&str], selector: Value) -> Value {
    json!({"failurePolicy": policy, "rules": [{"resources": resources}],
        "namespaceSelector": {"matchExpressions": selector}})
}

#[test]
fn only_what_would_be_judged_on_a_pods_way_counts() {
    let namespaces = ["net", "dns"].map(|name| {
        let labels = json!({"kubernetes.io/metadata.name": name, "system": "yes"});
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).expect("one")
    });
    let world = World {
        daemon_sets: vec![daemon_set("net", host_path("/etc/cni/net.d"))],
        services: vec![service("dns", json!({"k8s-app": "kube-dns"}), json!({}))],
        namespaces: namespaces.to_vec(),
        ..World::default()
    };
    let needs = needs(&world);
    let without_net =
        json!([{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["net"]}]);
    let no_system = json!([{"key": "system", "operator": "DoesNotExist"}]);
    for (entry, expected) in [
        (entry("Fail", &["pods"], json!([])), vec!["dns", "net"]),
        (entry("Fail", &["pods"], without_net.clone()), vec!["dns"]),
        (
            entry(
                "Fail",
                &["deployments", "pods/binding"],
                without_net.clone(),
            ),
            vec!["dns"],
        ),
        (entry("Fail", &["*/*"], without_net.clone()), vec!["dns"]),
        (
            entry("Fail", &["serviceaccounts/token"], without_net),
            vec!["dns"],
        ),
        (entry("Fail", &["pods"], no_system), vec![]),
        (
            entry("Fail", &["ingresses", "deployments"], json!([])),
            vec![],
        ),
        (entry("Ignore", &["pods"], json!([])), vec![]),
        (
            entry("Fail", &["pods"], json!("nonsense")),
            vec!["dns", "net"],
        ),
    ] {
        let judged = judged(&json!({"webhooks": [entry]}), &needs, &world);
        let names: Vec<&str> = judged.iter().map(|need| need.namespace.as_str()).collect();
        assert_eq!(names, expected, "{entry}");
    }
}

#[test]
fn the_line_names_the_namespaces_and_the_setting() {
    let need = |namespace: &str, what: &str| Need {
        namespace: namespace.into(),
        what: what.into(),
    };
    let judged = [need("a", "x (DaemonSet y)"), need("b", "DNS (Service z)")].into();
    let line = line(&judged);
    assert!(
        line.contains("a holds x (DaemonSet y), b holds DNS (Service z)"),
        "{line}"
    );
    assert!(
        line.ends_with("give --exclude-namespace=a --exclude-namespace=b"),
        "{line}"
    );
}
