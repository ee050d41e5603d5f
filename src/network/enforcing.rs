//! Whether anybody enforces NetworkPolicies: the API server only keeps them.
//!
//! It is told by what runs on nodes. What is not known here is unknown, and
//! not missing.

use serde_json::Value;

/// Who enforces NetworkPolicies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enforcing {
    /// This network plugin does.
    By(&'static str),
    /// What is there does not: why.
    Nobody(&'static str),
    /// Nobody can tell.
    Unknown,
}

/// Plugins that enforce, by the names of their DaemonSets and the ends of their
/// images (their own manifests and charts; GKE's Dataplane V2 is `anetd`).
const PLUGINS: [(&str, &[&str]); 10] = [
    ("Calico", &["calico-node", "calico/node", "hardened-calico"]),
    ("Cilium", &["cilium", "cilium/cilium", "anetd"]),
    ("Antrea", &["antrea-agent"]),
    ("kube-router", &["kube-router"]),
    ("Weave Net", &["weave-npc"]),
    ("OVN-Kubernetes", &["ovnkube-node"]),
    ("Kube-OVN", &["kube-ovn-cni"]),
    ("Azure Network Policy Manager", &["azure-npm"]),
    ("kube-network-policies", &["kube-network-policies"]),
    ("Romana", &["romana-agent"]),
];

/// Switches by which a plugin enforces nothing.
const OFF: [&str; 2] = ["--run-firewall=false", "--disable-network-policy"];

/// The first kindnetd that enforces, that of kind v0.24 (its release notes).
const KINDNET: u32 = 20_240_813;

/// What DaemonSets and nodes tell. Of nodes any one will do.
pub fn enforcing(daemon_sets: &[Value], nodes: &[Value]) -> Enforcing {
    let all: Vec<Plugin> = daemon_sets.iter().map(Plugin::of).collect();
    let known = all.iter().filter(|plugin| !plugin.has_arg(&OFF));
    let by = known.flat_map(|plugin| {
        let mut names = PLUGINS.iter();
        names.find(|(_, names)| names.iter().any(|name| plugin.is(name)))
    });
    if let Some((title, _)) = by.into_iter().next() {
        return Enforcing::By(title);
    }
    let found: Vec<Enforcing> = [amazon(&all), kindnet(&all), k3s(nodes), flannel(&all)]
        .into_iter()
        .flatten()
        .collect();
    let first = |is: fn(&Enforcing) -> bool| found.iter().find(|one| is(one)).cloned();
    first(|one| matches!(one, Enforcing::By(_)))
        .or_else(|| first(|one| *one == Enforcing::Unknown))
        .or_else(|| first(|_| true))
        .unwrap_or(Enforcing::Unknown)
}

/// The VPC CNI of Amazon has an agent for it, which is off by default.
fn amazon(all: &[Plugin]) -> Option<Enforcing> {
    let node = all.iter().find(|plugin| plugin.is("aws-node"))?;
    Some(match node.has_arg(&["--enable-network-policy=true"]) {
        true => Enforcing::By("the network policy agent of Amazon's VPC CNI"),
        false => Enforcing::Nobody(
            "Amazon's VPC CNI runs without its network policy agent (`enableNetworkPolicy`)",
        ),
    })
}

/// Those of kind are told apart by the day in their tag.
fn kindnet(all: &[Plugin]) -> Option<Enforcing> {
    let image = all.iter().flat_map(|plugin| &plugin.images);
    let image = image.into_iter().find(|image| image.contains("kindnetd"))?;
    let tag = image.rsplit_once(":v").map_or("", |(_, tag)| tag);
    let day: Option<u32> = tag.get(..8).and_then(|day| day.parse().ok());
    Some(match day {
        Some(day) if day >= KINDNET => Enforcing::By("kindnet"),
        Some(_) => Enforcing::Nobody("kindnet enforces them from kind v0.24 on"),
        None => Enforcing::Unknown,
    })
}

/// k3s has a part of kube-router inside, unless it is told not to.
fn k3s(nodes: &[Value]) -> Option<Enforcing> {
    let version = |node: &&Value| {
        let version = node["status"]["nodeInfo"]["kubeletVersion"].as_str();
        version.is_some_and(|version| version.contains("+k3s"))
    };
    let nodes: Vec<&Value> = nodes.iter().filter(version).collect();
    let args = nodes
        .iter()
        .filter_map(|node| node["metadata"]["annotations"]["k3s.io/node-args"].as_str());
    let is_off = args.into_iter().any(|args| args.contains(OFF[1]));
    match (nodes.is_empty(), is_off) {
        (true, _) => None,
        (false, true) => Some(Enforcing::Nobody("k3s runs with --disable-network-policy")),
        (false, false) => Some(Enforcing::By("k3s")),
    }
}

/// Flannel alone only carries packets.
fn flannel(all: &[Plugin]) -> Option<Enforcing> {
    let is_flannel = |plugin: &Plugin| plugin.is("kube-flannel-ds") || plugin.is("flannel/flannel");
    let reason = "Flannel does not, and no other network plugin was found beside it";
    all.iter()
        .any(is_flannel)
        .then_some(Enforcing::Nobody(reason))
}

/// A DaemonSet, as far as it tells what it is.
struct Plugin {
    name: String,
    images: Vec<String>,
    args: Vec<String>,
}

impl Plugin {
    fn of(daemon_set: &Value) -> Plugin {
        let spec = &daemon_set["spec"]["template"]["spec"];
        let containers: Vec<&Value> = spec["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .collect();
        let texts = |member: &str| -> Vec<String> {
            let lists = containers.iter().filter_map(|one| one[member].as_array());
            let texts = lists.flatten().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        };
        let images = containers.iter().filter_map(|one| one["image"].as_str());
        Plugin {
            name: daemon_set["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            images: images.map(str::to_owned).collect(),
            args: [texts("args"), texts("command")].concat(),
        }
    }

    /// Whether it has this name, or an image whose path ends so.
    fn is(&self, name: &str) -> bool {
        let ends = |image: &String| {
            let path = image.split('@').next().unwrap_or_default();
            let path = match path.rsplit_once(':') {
                Some((path, tag)) if !tag.contains('/') => path,
                _ => path,
            };
            let rest = path.strip_suffix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        self.name == name || self.images.iter().any(ends)
    }

    fn has_arg(&self, any: &[&str]) -> bool {
        self.args.iter().any(|arg| any.contains(&arg.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(name: &str, image: &str, args: &[&str]) -> Value {
        json!({"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": [
            {"image": image, "args": args}]}}}})
    }

    fn node(version: &str, args: &str) -> Value {
        json!({"metadata": {"annotations": {"k3s.io/node-args": args}},
            "status": {"nodeInfo": {"kubeletVersion": version}}})
    }

    fn is_by(sets: &[Value], nodes: &[Value]) -> bool {
        matches!(enforcing(sets, nodes), Enforcing::By(_))
    }

    fn is_nobody(sets: &[Value], nodes: &[Value]) -> bool {
        matches!(enforcing(sets, nodes), Enforcing::Nobody(_))
    }

    #[test]
    fn known_plugins_are_known_by_name_or_image() {
        for (name, image) in [
            ("calico-node", "docker.io/calico/node:v3.29.1"),
            ("rke2-canal", "rancher/hardened-calico:v3.29.1-build1"),
            ("canal", "registry.example:5000/calico/node@sha256:00"),
            ("cilium", "quay.io/cilium/cilium:v1.16"),
            ("anetd", "gke.gcr.io/cilium:v1"),
            ("antrea-agent", "antrea/antrea-agent-ubuntu:v2"),
            ("kube-router", "cloudnativelabs/kube-router"),
            ("weave-net", "weaveworks/weave-npc:2.8.1"),
            ("ovnkube-node", "a"),
            (
                "azure-npm",
                "mcr.microsoft.com/containernetworking/azure-npm:v1",
            ),
        ] {
            assert!(is_by(&[set(name, image, &[])], &[]), "{name}");
        }
        let off = set("kube-router", "a", &["--run-firewall=false"]);
        assert_eq!(enforcing(&[off], &[]), Enforcing::Unknown);
        let other = set("notcilium", "a/notcilium:v1", &[]);
        assert_eq!(enforcing(&[other], &[]), Enforcing::Unknown);
        assert_eq!(enforcing(&[], &[]), Enforcing::Unknown);
    }

    #[test]
    fn flannel_alone_does_not_and_with_another_it_may() {
        let flannel = set("kube-flannel-ds", "docker.io/flannel/flannel:v0.26", &[]);
        assert!(is_nobody(std::slice::from_ref(&flannel), &[]));
        let calico = set("canal", "calico/node:v3", &[]);
        assert!(is_by(&[flannel.clone(), calico], &[]));
        assert!(is_by(&[flannel], &[node("v1.31.2+k3s1", "[\"server\"]")]));
    }

    #[test]
    fn what_can_be_switched_off_is_told_apart() {
        let agent = |on: &str| {
            json!({"metadata": {"name": "aws-node"}, "spec": {"template":
            {"spec": {"containers": [{"image": "amazon-k8s-cni:v1"},
            {"image": "aws-network-policy-agent:v1", "args": [on]}]}}}})
        };
        assert!(is_by(&[agent("--enable-network-policy=true")], &[]));
        assert!(is_nobody(&[agent("--enable-network-policy=false")], &[]));
        let off = node("v1.31.2+k3s1", "[\"server\",\"--disable-network-policy\"]");
        assert!(is_nobody(&[], &[off]));
        assert_eq!(enforcing(&[], &[node("v1.31.2", "")]), Enforcing::Unknown);
    }

    #[test]
    fn kindnet_enforces_since_a_day() {
        let kindnet = |tag: &str| {
            [set(
                "kindnet",
                &format!("docker.io/kindest/kindnetd:{tag}"),
                &[],
            )]
        };
        assert!(is_by(&kindnet("v20241212-9f82dd49"), &[]));
        assert!(is_nobody(&kindnet("v20230809-80a64d96"), &[]));
        assert_eq!(enforcing(&kindnet("latest"), &[]), Enforcing::Unknown);
    }
}
