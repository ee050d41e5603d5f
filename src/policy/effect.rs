//! Effects of a decision: objects that policies want to exist besides, as far
//! as the operator grants them. Pure: `cluster::effects` acts on them.

pub mod grant;
pub mod hanging;
pub mod object;
pub mod unless;

use portcullis_contract::{Effect, Operation, Permission};

use super::decision::Judged;
use super::{Attributes, Cause, Failure, FailurePolicy, Policy, PolicyName};

pub use grant::EffectGrant;
pub use grant::check;
pub(super) use grant::validate;

/// An object that a policy wants to exist, and is granted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The policy.
    pub policy: PolicyName,
    /// What answers where a required one cannot be had.
    pub failure_policy: FailurePolicy,
    /// Where the object goes.
    pub namespace: String,
    /// The object, and when it must be there.
    pub effect: Effect,
}

/// A finding that counts unless the user may do something.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// What is found then, and what it leads to.
    pub judged: Judged,
    /// What lifts it.
    pub permission: Permission,
    /// What answers where nobody knows of the permission.
    pub failure_policy: FailurePolicy,
}

impl Wanted {
    /// What a policy asks for on a request with these attributes.
    ///
    /// # Errors
    ///
    /// A missing grant; no namespace, or one that does not exist yet.
    pub fn new(
        policy: &Policy,
        effect: Effect,
        attributes: &Attributes,
    ) -> Result<Wanted, Failure> {
        grant::covers(&policy.spec.effects, &effect)?;
        let Some(namespace) = attributes.namespace.clone() else {
            let message = "it asked for an object beside one that is in no namespace, where \
                           nobody knows the namespace it should go to";
            return Err(Failure::guest(Cause::Output, message));
        };
        if !effect.required && !attributes.is_namespace() {
            let message = "it asked for an eventual object beside one that is no Namespace: what \
                           is eventual hangs on the Namespace alone, so that it can be kept";
            return Err(Failure::guest(Cause::Output, message));
        }
        let is_unborn = attributes.is_namespace() && attributes.operation == Operation::Create;
        if effect.required && is_unborn {
            let message = "it asked for a required object in a namespace that is only being \
                           created, where nothing can be yet: ask for an eventual one";
            return Err(Failure::guest(Cause::Output, message));
        }
        Ok(Wanted {
            policy: policy.name.clone(),
            failure_policy: policy.spec.failure_policy,
            namespace,
            effect,
        })
    }

    /// As people are told of it: "NetworkPolicy `default` in the namespace
    /// `shop`".
    pub fn title(&self) -> String {
        let kind = self.effect.object["kind"].as_str().unwrap_or_default();
        let (name, namespace) = (self.effect.name(), &self.namespace);
        format!("{kind} `{name}` in the namespace `{namespace}`")
    }
}
