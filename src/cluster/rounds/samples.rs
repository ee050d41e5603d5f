//! Findings for the tests of what is told of them.

use portcullis_contract::Level;

use crate::finding::{Finding, Identity, Place};
use crate::policy::action::Action;

/// Of the policy `p`: a Deployment of this name is bad.
pub(super) fn finding(code: &str, namespace: Option<&str>, name: &str, action: Action) -> Finding {
    Finding {
        policy: "p".into(),
        code: code.into(),
        level: Level::Error,
        action,
        message: "it is bad".into(),
        remedy: "mend it".into(),
        place: Place::default(),
        object: Identity {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: namespace.map(Into::into),
            name: name.into(),
        },
        path: "/spec".into(),
        container: Some("a".into()),
        within: None,
        fix: None,
        has_fix: false,
        creates: None,
        fingerprint: "f".into(),
        excerpt: None,
        exemption: None,
    }
}
