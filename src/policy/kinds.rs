//! Kinds and their plural resources, for objects that come without a request.
//!
//! A live API server names the resource; a manifest only names the kind. The
//! table holds every kind of the built-in API groups whose plural or scope a
//! rule of grammar would get wrong, and all cluster-scoped ones. Source:
//! `kubectl api-resources` of Kubernetes 1.36.

/// Plural resource and scope of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Plural, lower case.
    pub plural: String,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
}

/// Cluster-scoped kinds: group, kind. `*` is any group.
const CLUSTER_SCOPED: [(&str, &str); 41] = [
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("", "ComponentStatus"),
    ("admissionregistration.k8s.io", "*"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("authentication.k8s.io", "SelfSubjectReview"),
    ("authentication.k8s.io", "TokenReview"),
    ("authorization.k8s.io", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "SelfSubjectRulesReview"),
    ("authorization.k8s.io", "SubjectAccessReview"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("certificates.k8s.io", "ClusterTrustBundle"),
    ("flowcontrol.apiserver.k8s.io", "*"),
    ("internal.apiserver.k8s.io", "*"),
    ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("node.k8s.io", "RuntimeClass"),
    ("policy", "PodSecurityPolicy"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("resource.k8s.io", "DeviceClass"),
    ("resource.k8s.io", "ResourceSlice"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("storage.k8s.io", "VolumeAttributesClass"),
    ("storagemigration.k8s.io", "*"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("cert-manager.io", "ClusterIssuer"),
    ("cilium.io", "CiliumClusterwideNetworkPolicy"),
    ("crd.projectcalico.org", "GlobalNetworkPolicy"),
    ("policy.networking.k8s.io", "AdminNetworkPolicy"),
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    ("external-secrets.io", "ClusterSecretStore"),
    ("portcullis.dev", "WasmPolicy"),
];

/// Plurals that the rule of grammar below would get wrong.
const IRREGULAR: [(&str, &str); 3] = [
    ("Endpoints", "endpoints"),
    ("PodMetrics", "pods"),
    ("NodeMetrics", "nodes"),
];

/// The plural resource of a kind, and its scope.
///
/// Kinds outside the table are taken as namespaced unless `cluster_scoped`
/// (a definition among the files says so), with the plural that English and
/// `kubebuilder` would give.
pub fn resource(group: &str, kind: &str) -> Resource {
    let namespaced = !CLUSTER_SCOPED
        .iter()
        .any(|(known, name)| *known == group && (*name == "*" || *name == kind));
    let irregular = IRREGULAR.iter().find(|(name, _)| *name == kind);
    let plural = irregular.map_or_else(|| plural(kind), |(_, plural)| (*plural).to_owned());
    Resource { plural, namespaced }
}

fn plural(kind: &str) -> String {
    let lower = kind.to_ascii_lowercase();
    let is_consonant_y = lower.ends_with('y')
        && !lower
            .trim_end_matches('y')
            .ends_with(['a', 'e', 'i', 'o', 'u']);
    if is_consonant_y {
        format!("{}ies", &lower[..lower.len() - 1])
    } else if lower.ends_with(['s', 'x', 'z']) || lower.ends_with("ch") || lower.ends_with("sh") {
        format!("{lower}es")
    } else {
        format!("{lower}s")
    }
}

/// Splits `apiVersion` into group and version.
pub fn group_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_those_of_the_api_server() {
        for (group, kind, plural, namespaced) in [
            ("", "Pod", "pods", true),
            ("networking.k8s.io", "Ingress", "ingresses", true),
            (
                "networking.k8s.io",
                "NetworkPolicy",
                "networkpolicies",
                true,
            ),
            ("networking.k8s.io", "IngressClass", "ingressclasses", false),
            ("", "Endpoints", "endpoints", true),
            ("gateway.networking.k8s.io", "Gateway", "gateways", true),
            ("", "Namespace", "namespaces", false),
            ("storage.k8s.io", "StorageClass", "storageclasses", false),
            ("traefik.io", "IngressRoute", "ingressroutes", true),
            ("discovery.k8s.io", "EndpointSlice", "endpointslices", true),
        ] {
            let found = resource(group, kind);
            assert_eq!(
                (found.plural.as_str(), found.namespaced),
                (plural, namespaced),
                "{kind}"
            );
        }
    }
}
