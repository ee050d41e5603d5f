//! The set of policies in force: immutable, swapped whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_contract::reads::{Outline, Reads};

use super::exemption::book::Exemptions;
use super::{Failure, Policy, PolicyName};

/// Namespaces that are never judged unless the operator says otherwise: to
/// refuse something there can keep a cluster from starting
/// (design: reliability.md, section 3).
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];

/// All policies in force, in the order they run: by name.
pub struct PolicySet {
    policies: Vec<Policy>,
    /// Namespaces whose objects no policy judges.
    pub excluded_namespaces: BTreeSet<String>,
    /// What they look at of objects.
    outline: Arc<Outline>,
    /// Policies that are not in the form the operator wrote last, and why.
    stale: BTreeMap<PolicyName, Failure>,
    /// Why what the operator wrote after this set is not in force.
    refused: Option<String>,
    is_unset: bool,
    /// Whether it judges manifests in files, and not what a cluster has.
    is_for_files: bool,
    /// What is forgiven of what they find; it changes without this set.
    exemptions: Arc<Exemptions>,
}

/// How many policies of a set are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Judging, as the operator wrote them last.
    pub ready: usize,
    /// Judging in an earlier form, since the last one failed to load.
    pub stale: usize,
    /// Without a program: their failurePolicy answers.
    pub failed: usize,
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

/// What the policies look at of objects.
fn outline<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Arc<Outline> {
    let policies = policies.into_iter();
    let ready = policies.filter_map(|p| p.program.as_ref().ok());
    Arc::new(Outline::of(ready.map(|ready| &*ready.reads)))
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
            outline: outline(policies.iter().filter(|policy| !policy.is_offline())),
            policies,
            excluded_namespaces,
            stale: BTreeMap::new(),
            refused: None,
            is_unset: false,
            is_for_files: false,
            exemptions: Arc::default(),
        })
    }

    /// No policy at all, until the first are known.
    pub fn empty(excluded_namespaces: BTreeSet<String>) -> Self {
        PolicySet {
            outline: outline([]),
            policies: Vec::new(),
            excluded_namespaces,
            stale: BTreeMap::new(),
            refused: None,
            is_unset: true,
            is_for_files: false,
            exemptions: Arc::default(),
        }
    }

    /// The same policies, to judge manifests in files: those that no cluster
    /// asks are asked, too.
    #[must_use]
    pub fn for_files(self) -> Self {
        PolicySet {
            outline: outline(&self.policies),
            is_for_files: true,
            ..self
        }
    }

    /// Whether this policy of the set is asked: one that is for files only is
    /// not asked of what a cluster has.
    pub fn asks(&self, policy: &Policy) -> bool {
        self.is_for_files || !policy.is_offline()
    }

    /// Whether no policies were ever put in force.
    pub fn is_unset(&self) -> bool {
        self.is_unset
    }

    /// This set, in which a policy that fails to load goes on in the form that
    /// `last_good` gives for it, document and program together, and is stale.
    /// It fails all the same where there is none, or where going on would use
    /// a grant that the operator has just withdrawn.
    #[must_use]
    pub fn or_last_good<'a>(
        mut self,
        last_good: impl Fn(&PolicyName) -> Option<&'a Policy>,
    ) -> Self {
        for policy in &mut self.policies {
            let Err(failure) = &policy.program else {
                continue;
            };
            let keeps_grants = |old: &&Policy| old.spec.grants_no_more_than(&policy.spec);
            let good = last_good(&policy.name)
                .filter(|old| old.program.is_ok())
                .filter(keeps_grants);
            if let Some(good) = good {
                self.stale.insert(policy.name.clone(), failure.clone());
                // Like a grant: what was withdrawn is not gone on with.
                let is_exemptible = policy.spec.exemptible;
                *policy = good.clone();
                policy.spec.exemptible &= is_exemptible;
            }
        }
        let asked = self.policies.iter();
        self.outline = outline(asked.filter(|policy| self.is_for_files || !policy.is_offline()));
        self
    }

    /// The same policies, and why what was written after them is not in force:
    /// one line.
    #[must_use]
    pub fn refusing(&self, problem: String) -> Self {
        PolicySet {
            policies: self.policies.clone(),
            excluded_namespaces: self.excluded_namespaces.clone(),
            outline: Arc::clone(&self.outline),
            stale: self.stale.clone(),
            refused: Some(problem),
            is_unset: self.is_unset,
            is_for_files: self.is_for_files,
            exemptions: Arc::clone(&self.exemptions),
        }
    }

    /// The same policies, of whose findings these exemptions forgive some.
    #[must_use]
    pub fn exempting(&self, exemptions: Arc<Exemptions>) -> Self {
        PolicySet {
            exemptions,
            refused: self.refused.clone(),
            ..self.refusing(String::new())
        }
    }

    /// What is forgiven of what the policies find.
    pub fn exemptions(&self) -> &Arc<Exemptions> {
        &self.exemptions
    }

    /// Why this policy is not in the form that the operator wrote last; None
    /// if it is, or if it fails.
    pub fn stale(&self, name: &PolicyName) -> Option<&Failure> {
        self.stale.get(name)
    }

    /// Why what the operator wrote after this set is not in force, if so.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// How many policies are in which state.
    pub fn counts(&self) -> Counts {
        let failed = self.policies.iter().filter(|p| p.program.is_err()).count();
        let stale = self.stale.len();
        Counts {
            ready: self.policies.len() - failed - stale,
            stale,
            failed,
        }
    }

    /// What the policies look at of objects; the rest need not be decoded for
    /// them to be asked.
    pub fn outline(&self) -> &Arc<Outline> {
        &self.outline
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
