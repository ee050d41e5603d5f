//! What a rule with `*` must never bring here, since clusters stop working
//! when it waits (design: reliability.md, section 3). The one list of it: the
//! registration says it to the API server, and the audit goes by it.

/// A controller makes this ConfigMap in each new namespace, and pods wait for
/// it.
pub const ROOT_CA: &str = "kube-root-ca.crt";

/// Kinds that are never asked about.
#[derive(Debug, Clone, Copy)]
pub struct Never {
    /// The name of the condition.
    pub name: &'static str,
    /// Of this group; None for any.
    group: Option<&'static str>,
    /// Of this resource, plural; None for any.
    plural: Option<&'static str>,
    /// A rule that names this group and resource has it all the same.
    pub unless: (&'static str, &'static str),
}

/// All of them.
pub const NEVER: [Never; 8] = [
    of_group("no-leases", "coordination.k8s.io", "leases"),
    of_plural("no-events", "", "events"),
    Never {
        name: "no-nodes",
        group: Some(""),
        plural: Some("nodes"),
        unless: ("", "nodes"),
    },
    of_group("no-token-reviews", "authentication.k8s.io", "tokenreviews"),
    of_group(
        "no-access-reviews",
        "authorization.k8s.io",
        "subjectaccessreviews",
    ),
    // A kubelet that cannot write it ends, and with it the node.
    of_plural("no-csi-nodes", "storage.k8s.io", "csinodes"),
    // How a kubelet comes by its certificate.
    of_plural(
        "no-signing-requests",
        "certificates.k8s.io",
        "certificatesigningrequests",
    ),
    // A policy that is broken must stay deletable.
    of_group("no-policies", "portcullis.dev", "wasmpolicies"),
];

/// Everything of a group, of which `plural` is what is there for all to see.
const fn of_group(name: &'static str, group: &'static str, plural: &'static str) -> Never {
    Never {
        name,
        group: Some(group),
        plural: None,
        unless: (group, plural),
    }
}

/// A resource, of which group ever; `group` is the usual one.
const fn of_plural(name: &'static str, group: &'static str, plural: &'static str) -> Never {
    Never {
        name,
        group: None,
        plural: Some(plural),
        unless: (group, plural),
    }
}

impl Never {
    /// Whether it holds for a resource.
    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.group.is_none_or(|own| own == group) && self.plural.is_none_or(|own| own == plural)
    }

    /// What a request has to fulfil to be sent, in CEL.
    pub fn expression(&self) -> String {
        match (self.group, self.plural) {
            (Some(group), Some(plural)) => format!(
                "!(request.resource.group == \"{group}\" && request.resource.resource == \"{plural}\")"
            ),
            (Some(group), None) => format!("request.resource.group != \"{group}\""),
            (None, Some(plural)) => format!("request.resource.resource != \"{plural}\""),
            (None, None) => "false".to_owned(),
        }
    }
}
