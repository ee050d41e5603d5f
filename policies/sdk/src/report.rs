//! What a policy has to say of one request.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use portcullis_contract::{
    Changes, CutOff, Effect, Finding, Guarded, Lack, PatchOperation, Permission, Unless, Verdict,
    Within,
};

use serde_json::Value;

use crate::Codes;

/// Collects findings and changes.
#[derive(Debug)]
pub struct Report<C> {
    verdict: Verdict,
    codes: PhantomData<C>,
}

/// What a finding of [`Report::find_lack`] hangs on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct When {
    /// Objects of which one has to be there. Empty: none has to.
    pub among: Vec<Unless>,
    /// Objects of which none may be there.
    pub unless: Vec<Unless>,
    /// The object that would mend it.
    pub object: Option<Value>,
}

/// Where a finding lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pointer: String,
    container: Option<String>,
    within: Option<Within>,
}

impl Place {
    /// A JSON Pointer into the object.
    pub fn at(pointer: impl Into<String>) -> Self {
        Place {
            pointer: pointer.into(),
            container: None,
            within: None,
        }
    }

    /// The same, in a container of this name.
    #[must_use]
    pub fn in_container(self, name: impl Into<String>) -> Self {
        Place {
            container: Some(name.into()),
            ..self
        }
    }

    /// The same, at a place inside the text that stands there; `line` and
    /// `column` (in characters) count from 1.
    #[must_use]
    pub fn within(self, line: u32, column: u32) -> Self {
        Place {
            within: Some(Within { line, column }),
            ..self
        }
    }
}

impl<C> Default for Report<C> {
    fn default() -> Self {
        Report {
            verdict: Verdict::default(),
            codes: PhantomData,
        }
    }
}

impl<C: Codes> Report<C> {
    /// Something is wrong. `remedy` says what to write instead, as an
    /// imperative; `message` what is the case; both one line, lower case,
    /// without a final period. The host composes the text that people read.
    pub fn find(
        &mut self,
        code: C,
        place: Place,
        remedy: impl Into<String>,
        message: impl Into<String>,
    ) {
        let finding = finding(code.name(), place, remedy.into(), message.into());
        self.verdict.findings.push(finding);
    }

    /// The same, unless the user who asks may do this: the host asks the API
    /// server. Without a cluster nobody knows, and nothing is found.
    pub fn find_unless(
        &mut self,
        permission: Permission,
        code: C,
        place: Place,
        remedy: impl Into<String>,
        message: impl Into<String>,
    ) {
        let finding = finding(code.name(), place, remedy.into(), message.into());
        self.changes().guarded.push(Guarded {
            finding,
            permission,
        });
    }

    /// Something is found of what is there: in files and in audits, unless one of
    /// `when.unless` is there, and at admission never.
    pub fn find_lack(
        &mut self,
        when: When,
        code: C,
        place: Place,
        remedy: impl Into<String>,
        message: impl Into<String>,
    ) {
        let finding = finding(code.name(), place, remedy.into(), message.into());
        self.changes().lacking.push(Lack {
            finding,
            among: when.among,
            unless: when.unless,
            object: when.object,
        });
    }

    /// Something is found where this NetworkPolicy would keep the API server
    /// from what it calls in the namespace of the request; the host looks, and
    /// names it after the message.
    pub fn find_cut_off(
        &mut self,
        policy: Value,
        code: C,
        place: Place,
        remedy: impl Into<String>,
        message: impl Into<String>,
    ) {
        let finding = finding(code.name(), place, remedy.into(), message.into());
        self.changes().cut_off.push(CutOff { finding, policy });
    }

    /// One operation of the patch that the policy asks for.
    pub fn change(&mut self, operation: PatchOperation) {
        self.changes().patch.push(operation);
    }

    /// An object that should exist besides, in the namespace of the request.
    /// Its kind is one of [`crate::Policy::EFFECTS`].
    pub fn effect(&mut self, effect: Effect) {
        self.changes().effects.push(effect);
    }

    /// A line for the API server's audit log.
    pub fn annotate(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let annotations: &mut BTreeMap<String, String> = &mut self.changes().annotations;
        annotations.insert(key.into(), value.into());
    }

    fn changes(&mut self) -> &mut Changes {
        self.verdict.changes.get_or_insert_default()
    }

    pub(crate) fn into_verdict(self) -> Verdict {
        self.verdict
    }
}

fn finding(code: &str, place: Place, remedy: String, message: String) -> Finding {
    Finding {
        code: code.to_owned(),
        message,
        remedy,
        path: place.pointer,
        container: place.container,
        within: place.within,
    }
}
