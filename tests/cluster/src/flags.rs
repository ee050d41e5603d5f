//! The command lines of the components (design: control-plane.md, section 2).

use anyhow::Result;
use serde_json::json;

use crate::cluster::AuditLevel;
use crate::folder::Folder;
use crate::services;

/// The loopback ports of one control plane. The others of its components
/// listen nowhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    pub(crate) peers: u16,
    pub(crate) api_server: u16,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// etcd, which keeps nothing beyond the life of its folder.
pub(crate) fn etcd(folder: &Folder, ports: Ports) -> Vec<String> {
    let (data, clients, peers) = (folder.file("etcd"), ports.etcd, ports.peers);
    words(&format!(
        "etcd --name=test --data-dir={data} --unsafe-no-fsync --log-level=warn \
         --listen-client-urls=http://127.0.0.1:{clients} \
         --advertise-client-urls=http://127.0.0.1:{clients} \
         --listen-peer-urls=http://127.0.0.1:{peers} \
         --initial-advertise-peer-urls=http://127.0.0.1:{peers} \
         --initial-cluster=test=http://127.0.0.1:{peers}"
    ))
}

/// The API server, with RBAC and an audit log on.
pub(crate) fn api_server(folder: &Folder, ports: Ports, audit: AuditLevel) -> Result<Vec<String>> {
    let policy = folder.write("audit-policy.yaml", &audit_policy(audit))?;
    let log = folder.file("audit.log");
    let file = |name: &str| folder.file(name);
    let (ca, etcd, port) = (file("ca.crt"), ports.etcd, ports.api_server);
    Ok(words(&format!(
        "kube-apiserver --etcd-servers=http://127.0.0.1:{etcd} --bind-address=127.0.0.1 \
         --secure-port={port} --advertise-address=127.0.0.1 --endpoint-reconciler-type=none \
         --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=Node,RBAC \
         --anonymous-auth=false --client-ca-file={ca} --tls-cert-file={} \
         --tls-private-key-file={} --allow-privileged=true \
         --service-account-issuer=https://kubernetes.default.svc.cluster.local \
         --service-account-key-file={} --service-account-signing-key-file={} \
         --enable-admission-plugins=NodeRestriction --requestheader-client-ca-file={ca} \
         --requestheader-allowed-names=aggregator --requestheader-username-headers=X-Remote-User \
         --requestheader-group-headers=X-Remote-Group \
         --requestheader-extra-headers-prefix=X-Remote-Extra- --proxy-client-cert-file={} \
         --proxy-client-key-file={} --audit-policy-file={policy} --audit-log-path={log} \
         --audit-log-mode=blocking-strict --profiling=false --shutdown-delay-duration=0s",
        file("server.crt"),
        file("server.key"),
        file("accounts.pub"),
        file("accounts.key"),
        file("aggregator.crt"),
        file("aggregator.key"),
    )))
}

/// Besides, where cluster IPs lead somewhere.
pub(crate) fn egress(folder: &Folder) -> Result<String> {
    let text = services::egress_selector(folder);
    let file = folder.write("egress-selector.yaml", &text)?;
    Ok(format!("--egress-selector-config-file={file}"))
}

/// The namespace whose requests are in the audit log with bodies and patches,
/// whatever the level: what webhooks leave there is looked at.
pub const AUDITED: &str = "audited";

/// The namespace of which every request is in the audit log, reading too, without
/// bodies.
pub const LOGGED: &str = "logged";

/// All that changes something is written down; reading would drown it.
fn audit_policy(level: AuditLevel) -> String {
    let level = match level {
        AuditLevel::Metadata => "Metadata",
        AuditLevel::RequestResponse => "RequestResponse",
    };
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Metadata", "namespaces": [LOGGED]},
            {"level": "None", "verbs": ["get", "list", "watch"]},
            {"level": "None", "resources": [
                {"group": "coordination.k8s.io", "resources": ["leases"]},
                {"group": "", "resources": ["events"]},
                {"group": "events.k8s.io", "resources": ["events"]},
            ]},
            {"level": "RequestResponse", "namespaces": [AUDITED]},
            {"level": level},
        ],
    })
    .to_string()
}

/// The controllers, without those of a cloud.
pub(crate) fn controller_manager(folder: &Folder) -> Vec<String> {
    let file = |name: &str| folder.file(name);
    words(&format!(
        "kube-controller-manager --kubeconfig={} --leader-elect=false --secure-port=0 \
         --use-service-account-credentials=true --service-account-private-key-file={} \
         --root-ca-file={ca} --cluster-signing-cert-file={ca} --cluster-signing-key-file={} \
         --controllers=*,-nodeipam,-cloud-node-lifecycle,-service-lb-controller,-node-route-controller \
         --kube-api-qps=200 --kube-api-burst=400 --profiling=false",
        file("controller-manager.kubeconfig"),
        file("accounts.key"),
        file("ca.key"),
        ca = file("ca.crt"),
    ))
}

/// The scheduler.
pub(crate) fn scheduler(folder: &Folder) -> Vec<String> {
    let kubeconfig = folder.file("scheduler.kubeconfig");
    words(&format!(
        "kube-scheduler --kubeconfig={kubeconfig} --leader-elect=false --secure-port=0 \
         --profiling=false"
    ))
}

/// The node, whose network waits for a container of `network_from`; what its containers would have got is below `records`.
pub(crate) fn node(folder: &Folder, network_from: Option<&str>, held: Option<&str>) -> Vec<String> {
    let file = |name: &str| folder.file(name);
    let mut arguments = words(&format!(
        "node --kubeconfig={} --root={} --record={} --control=unix:{}",
        file("node.kubeconfig"),
        file("node"),
        file("records"),
        file("node.sock"),
    ));
    arguments.extend(network_from.map(|namespace| format!("--network-from={namespace}")));
    arguments.extend(held.map(|namespace| format!("--hold={namespace}")));
    arguments
}
