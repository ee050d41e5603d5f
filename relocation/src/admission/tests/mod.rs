//! One request after another, as the API server would send them.

mod copies;
mod properties;
mod refused;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::config_map::{ConfigMap, Content};
use crate::marks;
use crate::names;
use crate::placeholder::Placeholder;

pub(super) const NOW: u32 = 1_000_000;
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A request, and what is known beside it.
pub(super) struct Request {
    pub(super) operation: Operation,
    pub(super) dry_run: bool,
    pub(super) user: &'static str,
    pub(super) namespace: &'static str,
    pub(super) name: Option<&'static str>,
    pub(super) object: Value,
    pub(super) old: Option<Value>,
    pub(super) secret: BTreeSet<Field>,
    pub(super) stage: Stage,
    pub(super) uses: BTreeMap<Field, Vec<String>>,
    pub(super) on_use: OnUse,
    pub(super) lost: BTreeSet<Field>,
    pub(super) restorer: bool,
    pub(super) exempt: bool,
    pub(super) terminating: bool,
    pub(super) throttled: bool,
    pub(super) keyring: Keyring,
    pub(super) staged: String,
    pub(super) now: u32,
    /// Whether the user may create Secrets; `None`: the question must not come.
    pub(super) allowed: Option<bool>,
}

/// The ConfigMap `app` with these keys.
pub(super) fn config_map(data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "app", "namespace": "shop"},
        "data": data,
    })
}

pub(super) fn create(object: Value) -> Request {
    Request {
        operation: Operation::Create,
        dry_run: false,
        user: "dev",
        namespace: "shop",
        name: Some("app"),
        object,
        old: None,
        secret: BTreeSet::from([Field::text("password")]),
        stage: Stage::Redact,
        uses: BTreeMap::new(),
        on_use: OnUse::Deny,
        lost: BTreeSet::new(),
        restorer: false,
        exempt: false,
        terminating: false,
        throttled: false,
        keyring: Keyring::new(&[7; 32], &[]).unwrap(),
        staged: names::staged(1),
        now: NOW,
        allowed: Some(true),
    }
}

/// An update an hour after `old` was written.
pub(super) fn update(old: &Value, object: Value) -> Request {
    Request {
        operation: Operation::Update,
        old: Some(old.clone()),
        staged: names::staged(2),
        now: NOW + 3600,
        ..create(object)
    }
}

impl Request {
    pub(super) fn input(&self) -> Input<'_> {
        Input {
            operation: self.operation,
            dry_run: self.dry_run,
            user: self.user,
            namespace: self.namespace,
            name: self.name,
            object: &self.object,
            old: self.old.as_ref(),
            secret: &self.secret,
            stage: self.stage,
            uses: &self.uses,
            on_use: self.on_use,
            lost: &self.lost,
            restorer: self.restorer,
            exempt: self.exempt,
            terminating: self.terminating,
            throttled: self.throttled,
            keyring: &self.keyring,
            staged: &self.staged,
            now: self.now,
        }
    }

    pub(super) fn planned(&self) -> Plan {
        match plan(self.input()) {
            Step::Done(plan) => plan,
            Step::Ask(pending) => pending.answered(self.allowed.expect("nothing to ask")),
        }
    }

    /// The object as the patch makes it, and the plan.
    pub(super) fn moved(&self) -> (Value, Move) {
        match self.planned().outcome {
            Outcome::Move(moved) => (patched(&self.object, &moved.patch), *moved),
            other => panic!("{other:?}"),
        }
    }

    /// The object as it is stored, changed or not.
    pub(super) fn stored(&self) -> Value {
        match self.planned().outcome {
            Outcome::Move(moved) => patched(&self.object, &moved.patch),
            Outcome::Admit { .. } => self.object.clone(),
            Outcome::Deny(denial) => panic!("{denial:?}"),
        }
    }

    pub(super) fn denied(&self) -> Denial {
        match self.planned().outcome {
            Outcome::Deny(denial) => denial,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn admitted(&self) -> Vec<String> {
        match self.planned().outcome {
            Outcome::Admit { warnings } => warnings,
            other => panic!("{other:?}"),
        }
    }

    /// The validating side, asked of an object.
    pub(super) fn verified(&self, object: &Value) -> Result<(), Denial> {
        verify(&Input {
            object,
            ..self.input()
        })
    }
}

pub(super) fn patched(object: &Value, patch: &Value) -> Value {
    let mut object = object.clone();
    let patch: json_patch::Patch = serde_json::from_value(patch.clone()).unwrap();
    json_patch::patch(&mut object, &patch).unwrap();
    object
}

pub(super) fn placeholder(object: &Value, field: &Field) -> Placeholder {
    match ConfigMap::new(object).contents().unwrap().remove(field) {
        Some(Content::Placeholder(placeholder)) => placeholder,
        _ => panic!("{field} holds no placeholder"),
    }
}

/// `app` with a password that was moved, as stored.
pub(super) fn relocated() -> Value {
    create(config_map(json!({"password": "hunter22", "user": "app"}))).stored()
}

/// What a Secret holds, as text.
pub(super) fn held(secret: &Manifest) -> Vec<(String, String)> {
    let text = |value: &crate::Sensitive| String::from_utf8_lossy(value.expose()).into_owned();
    let data = secret.data.iter();
    data.map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

#[test]
fn a_value_leaves_for_a_staged_secret() {
    let request = create(config_map(json!({"password": "hunter22", "user": "app"})));
    let (object, moved) = request.moved();
    let told = placeholder(&object, &Field::text("password"));
    let secret = moved.staged.unwrap();
    assert_eq!(told.secret, secret.metadata.name);
    assert_eq!(held(&secret), [("password".into(), "hunter22".into())]);
    assert_eq!(object["data"]["user"], "app");
    assert!(object["metadata"]["labels"][marks::MOVED].is_string());
    assert!(!moved.patch.to_string().contains("hunter22"));
    assert!(!moved.patch.to_string().contains("\"test\""));
    assert_eq!(request.verified(&object), Ok(()));
    let left = request.verified(&request.object).unwrap_err();
    assert_eq!(left.code, Code::NotMoved);
}

#[test]
fn no_value_is_in_what_can_be_printed() {
    let request = create(config_map(json!({"password": "hunter22"})));
    let plan = request.planned();
    assert!(!format!("{plan:?}").contains("hunter22"));
    let written = serde_json::to_string(&request.moved().1.staged.unwrap()).unwrap();
    assert!(written.contains("aHVudGVyMjI="), "{written}");
    assert!(written.contains(r#""immutable":true"#), "{written}");
}
