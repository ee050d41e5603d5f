//! What an update is forgiven, and what is another's to answer for.

use std::time::Instant;

use portcullis_contract::{Finding, Operation};

use super::Admission;
use crate::policy::action::Action;
use crate::policy::spec::{Inherited, OnUpdate};
use crate::policy::{Failure, Policy, ratchet};

impl Admission<'_> {
    /// For each finding, the most that it may lead to on this request.
    pub(super) fn softening(
        &self,
        policy: &Policy,
        findings: &[Finding],
        deadline: Instant,
    ) -> Result<Vec<Option<Action>>, Failure> {
        let (attributes, old) = (self.subject.attributes, self.subject.old_object());
        let inherited = policy.spec.inherited == Inherited::Audit
            && policy.constraints().is_some_and(|constraints| {
                ratchet::is_inherited(constraints, attributes, &self.object)
            });
        if inherited {
            return Ok(vec![Some(Action::Audit); findings.len()]);
        }
        if findings.is_empty() || attributes.operation != Operation::Update {
            return Ok(vec![None; findings.len()]);
        }
        if ratchet::is_metadata_only(&self.object, old) {
            let of_metadata = |finding: &Finding| finding.path.starts_with("/metadata/");
            let most = |finding| {
                if of_metadata(finding) {
                    None
                } else {
                    Some(Action::Warn)
                }
            };
            return Ok(findings.iter().map(most).collect());
        }
        if policy.spec.on_update == OnUpdate::Always {
            return Ok(vec![None; findings.len()]);
        }
        let before = self.findings_before(policy, deadline)?;
        let soften = |finding| ratchet::softened(finding, &self.object, &before, old);
        Ok(findings.iter().map(soften).collect())
    }
}
