//! What the policy may report.

use portcullis_sdk::Codes;

/// What `cluster-admin` may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Codes)]
pub enum Code {
    /// A ServiceAccount is bound to `cluster-admin`, or to a ClusterRole that
    /// the setting `roles` names. Whoever gets into one Pod that runs under it
    /// holds the cluster, every Secret in it and every node; in a RoleBinding,
    /// the whole namespace.
    #[code(error)]
    ClusterAdmin,
    /// Everybody is bound to `cluster-admin`: all who can log in
    /// (`system:authenticated`), all who cannot (`system:unauthenticated`,
    /// `system:anonymous`), or all Pods of the cluster or of a namespace
    /// (`system:serviceaccounts...`). No setting allows it.
    #[code(error)]
    ClusterAdminEveryone,
    /// The role allows every verb on every resource of every API group, or of
    /// the core group, which holds Secrets and Pods. It is `cluster-admin`
    /// under another name.
    #[code(warning)]
    WildcardRole,
    /// The role allows `escalate`, `bind` or `impersonate`: who has it can give
    /// any right to anybody, or act as anybody. Rules with `resourceNames` pass.
    #[code(warning)]
    RoleEscalation,
    /// The ClusterRole allows to read every Secret: in all namespaces, if a
    /// ClusterRoleBinding gives it away. The tokens and passwords of all
    /// others are among them. Rules with `resourceNames` pass.
    #[code(warning)]
    RoleReadsSecrets,
    /// The role allows to run commands in containers of others: `pods/exec`,
    /// or `nodes/proxy`, which reaches the kubelet and so every container of
    /// a node, even with the verb `get` alone.
    #[code(warning)]
    RoleRunsCommands,
    /// The ClusterRole takes over the rules of all ClusterRoles that carry a
    /// label (`aggregationRule`): what it allows is not written down in it.
    #[code(info)]
    RoleAggregated,
}
