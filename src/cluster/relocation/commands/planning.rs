//! `portcullis secrets plan`: what would move in a namespace, who uses it, what
//! stands in the way, and the next command. It writes nothing, and the webhook's
//! own code says what would move.

mod looking;
mod next;
mod render;
mod users;
mod verdict;

use anyhow::{Result, bail};
use kube::Client;

use crate::policy::PolicySet;
use looking::Seen;
use users::Users;

/// The plan of a namespace, for people; `set` are the policies in force.
///
/// # Errors
///
/// No policy moves anything, or what the API server says: ConfigMaps, pods and
/// Relocations of the namespace have to be readable.
pub async fn plan(client: &Client, set: &PolicySet, namespace: &str) -> Result<String> {
    let mut policies = set.policies().iter();
    if !policies.any(|policy| policy.spec.may_move()) {
        bail!(
            "no policy moves anything: give `configmap-secrets` `validationActions: [Move]`, in the \
             cluster or here with --policies FILE (docs/relocation.md)"
        );
    }
    if set.excluded_namespaces.contains(namespace) {
        bail!("no policy judges anything in the namespace `{namespace}`, so nothing moves there");
    }
    let seen = Seen::look(client, namespace).await?;
    let users = Users::of(&seen.workloads, &seen.pods);
    let all = seen.config_maps.iter();
    let mut verdicts = Vec::new();
    for object in all {
        verdicts.extend(verdict::of(set, &seen, &users, object)?);
    }
    Ok(render::text(&seen, &verdicts))
}
