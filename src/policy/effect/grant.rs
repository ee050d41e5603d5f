//! What the operator grants of effects.

use portcullis_contract::lookups::qualified;
use portcullis_contract::{Description, Effect, EffectMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::spec::{Error, Spec, resources};
use crate::policy::{Cause, Failure};

/// A kind of objects that a policy may have Portcullis create in the namespace
/// of a request, and of no other. Objects that Portcullis did not make are
/// never touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EffectGrant {
    /// The API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_group: String,
    /// The plural resource, as in a Role: `networkpolicies`.
    pub resource: String,
    /// Create, or also bring back to what the policy wants.
    #[serde(default)]
    pub mode: EffectMode,
}

impl EffectGrant {
    /// All that a policy asks for: for its author, who tries it out.
    pub fn everything(description: &Description) -> Vec<EffectGrant> {
        let grant = |kind: &String| {
            let (group, resource) = Effect::group_resource(kind);
            EffectGrant {
                api_group: group.to_owned(),
                resource: resource.to_owned(),
                mode: EffectMode::Apply,
            }
        };
        description.effects.iter().map(grant).collect()
    }

    /// What descriptions call it.
    pub fn name(&self) -> String {
        qualified(&self.api_group, &self.resource)
    }

    /// Whether this gives no more than `others` do.
    pub fn is_within(&self, others: &[EffectGrant]) -> bool {
        let covers = |other: &EffectGrant| {
            (&other.api_group, &other.resource) == (&self.api_group, &self.resource)
                && other.mode >= self.mode
        };
        others.iter().any(covers)
    }

    /// As it is written in `spec.effects`.
    pub fn text(kind: &str, mode: EffectMode) -> String {
        let mode = match mode {
            EffectMode::Create => "",
            EffectMode::Apply => ", mode: Apply",
        };
        match Effect::group_resource(kind) {
            ("", resource) => format!("{{resource: {resource}{mode}}}"),
            (group, resource) => format!("{{apiGroup: {group}, resource: {resource}{mode}}}"),
        }
    }
}

/// What the types cannot say of `spec.effects`.
///
/// # Errors
///
/// The first entry that is wrong.
pub(in crate::policy) fn validate(grants: &[EffectGrant]) -> Result<(), Error> {
    let resources = grants
        .iter()
        .map(|grant| (&*grant.api_group, &*grant.resource));
    resources::validate(resources, "effects", "networkpolicies")
}

/// Holds what is granted against what a policy says that it asks for.
///
/// # Errors
///
/// A kind that is not granted, by what to write; a grant that does nothing,
/// for a misspelt one would leave out what was meant.
pub fn check(description: &Description, spec: &Spec) -> Result<(), Failure> {
    let is_granted = |kind: &&String| spec.effects.iter().any(|grant| grant.name() == **kind);
    let missing: Vec<&String> = description
        .effects
        .iter()
        .filter(|kind| !is_granted(kind))
        .collect();
    if let Some(first) = missing.first() {
        let texts: Vec<String> = missing
            .iter()
            .map(|kind| EffectGrant::text(kind, EffectMode::Create))
            .collect();
        let message = format!(
            "it has objects of `{first}` created: if you trust it with them, write \
             `spec.effects: [{}]`",
            texts.join(", ")
        );
        return Err(Failure::host(Cause::Grant, message));
    }
    let is_unknown = |grant: &&EffectGrant| !description.effects.contains(&grant.name());
    let Some(unknown) = spec.effects.iter().find(is_unknown) else {
        return Ok(());
    };
    let known: Vec<String> = description
        .effects
        .iter()
        .map(|kind| format!("`{kind}`"))
        .collect();
    let known = match known.is_empty() {
        true => "nothing".to_owned(),
        false => known.join(", "),
    };
    let message = format!(
        "`spec.effects` grants `{}`, which the policy does not ask for: it asks for {known}",
        unknown.name()
    );
    Err(Failure::host(Cause::Settings, message))
}

/// Whether an effect is granted.
///
/// # Errors
///
/// What to write if it is not.
pub(super) fn covers(grants: &[EffectGrant], effect: &Effect) -> Result<(), Failure> {
    let is_covered = |grant: &EffectGrant| grant.name() == effect.kind && grant.mode >= effect.mode;
    if grants.iter().any(is_covered) {
        return Ok(());
    }
    let message = format!(
        "it asked for an object of `{}` which it was not granted: if you trust it with that, \
         write `spec.effects: [{}]`",
        effect.kind,
        EffectGrant::text(&effect.kind, effect.mode)
    );
    Err(Failure::host(Cause::Grant, message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::program::ProgramRef;

    fn spec(effects: serde_json::Value) -> Spec {
        let mut spec = Spec::of(ProgramRef::Builtin("a".into()));
        spec.effects = serde_json::from_value(effects).expect("grants");
        spec
    }

    fn description(effects: &[&str]) -> Description {
        serde_json::from_value(
            json!({"interface": "0.1.0", "name": "a", "version": "1.0.0",
            "summary": "s", "matches": {}, "reads": [], "codes": [], "effects": effects,
            "settings": {}}),
        )
        .expect("a description")
    }

    #[test]
    fn what_is_asked_for_has_to_be_granted_by_name() {
        let asks = description(&["networkpolicies.networking.k8s.io"]);
        let text = |effects| check(&asks, &spec(effects)).expect_err("refused").message;
        assert!(
            text(json!([])).contains(
                "write `spec.effects: [{apiGroup: networking.k8s.io, resource: networkpolicies}]`"
            ),
            "{}",
            text(json!([]))
        );
        let wrong = text(
            json!([{"apiGroup": "networking.k8s.io", "resource": "networkpolicies"},
            {"resource": "secrets"}]),
        );
        assert!(wrong.contains("`secrets`"), "{wrong}");
        let right = json!([{"apiGroup": "networking.k8s.io", "resource": "networkpolicies"}]);
        assert!(check(&asks, &spec(right)).is_ok());
    }

    #[test]
    fn to_create_is_not_to_bring_back() {
        let effect = Effect::required("secrets", json!({}));
        let create = spec(json!([{"resource": "secrets"}])).effects;
        let apply = spec(json!([{"resource": "secrets", "mode": "Apply"}])).effects;
        assert!(covers(&create, &effect).is_ok());
        assert!(covers(&apply, &effect.clone().applied()).is_ok());
        let failure = covers(&create, &effect.applied()).expect_err("refused");
        let grant = "`spec.effects: [{resource: secrets, mode: Apply}]`";
        assert!(failure.message.contains(grant), "{failure}");
        assert!(create[0].is_within(&apply) && !apply[0].is_within(&create));
    }

    #[test]
    fn a_grant_names_one_resource_once() {
        for (effects, problem) in [
            (json!([{"resource": "*"}]), "no resource"),
            (json!([{"resource": "pods/exec"}]), "no resource"),
            (json!([{"resource": ""}]), "no resource"),
            (
                json!([{"resource": "a"}, {"resource": "a", "mode": "Apply"}]),
                "twice",
            ),
        ] {
            let error = validate(&spec(effects.clone()).effects).expect_err("refused");
            assert!(error.problem.contains(problem), "{effects}: {error}");
        }
    }
}
