//! The set of policies in force: immutable, swapped whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use portcullis_contract::reads::Reads;

use super::{Policy, PolicyName, Ready};

/// Namespaces that are never judged unless the operator says otherwise: to
/// refuse something there can keep a cluster from starting
/// (design: reliability.md, section 3).
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];

/// All policies in force, in the order they run: by name.
pub struct PolicySet {
    policies: Vec<Policy>,
    /// Namespaces whose objects no policy judges.
    pub excluded_namespaces: BTreeSet<String>,
}

/// Two policies of one name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two policies are named `{0}`: rename or remove one of them")]
pub struct Duplicate(pub PolicyName);

/// Equal reads become the same ones: to compare those costs nothing, and
/// every request compares them.
fn share_reads(policies: &mut [Policy]) {
    let mut distinct: Vec<Arc<Reads>> = Vec::new();
    for ready in policies.iter_mut().filter_map(|p| p.program.as_mut().ok()) {
        match distinct.iter().find(|known| **known == ready.reads) {
            Some(known) => ready.reads = Arc::clone(known),
            None => distinct.push(Arc::clone(&ready.reads)),
        }
    }
}

impl PolicySet {
    /// A set of these policies.
    ///
    /// # Errors
    ///
    /// If two have the same name.
    pub fn new(
        mut policies: Vec<Policy>,
        excluded_namespaces: BTreeSet<String>,
    ) -> Result<Self, Duplicate> {
        policies.sort_by(|one, other| one.name.cmp(&other.name));
        for pair in policies.windows(2) {
            if pair[0].name == pair[1].name {
                return Err(Duplicate(pair[0].name.clone()));
            }
        }
        share_reads(&mut policies);
        Ok(PolicySet {
            policies,
            excluded_namespaces,
        })
    }

    /// The same set with other programs for those that are ready.
    #[must_use]
    pub fn with_programs(mut self, change: impl Fn(Ready) -> Ready) -> PolicySet {
        for policy in &mut self.policies {
            if let Ok(ready) = &mut policy.program {
                *ready = change(ready.clone());
            }
        }
        self
    }

    /// The policies, by name.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The policy of this name.
    pub fn get(&self, name: &str) -> Option<&Policy> {
        self.policies
            .iter()
            .find(|policy| policy.name.as_str() == name)
    }
}
