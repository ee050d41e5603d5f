//! The webhook configurations, and what the leader says of them.

use serde_json::Value;

use super::seen::{list, text};
use super::{Said, Seen, note, problem};
use crate::cluster::certificates::contents::Contents;
use crate::cluster::home::MANAGER;
use crate::cluster::registrations::{away_line, ca_of, entries, is_blank};
use crate::cluster::state::State;

/// What cert-manager writes with, where it is asked to.
const INJECTOR: &str = "cert-manager-cainjector";
const INJECT: &str = "cert-manager.io/inject-ca-from";

/// What the leader remembers, if it can be read.
fn state(seen: &Seen) -> Option<State> {
    State::parse(seen.state.as_ref()?.as_ref()).ok()
}

/// It is there, unless somebody wanted it away.
pub(super) fn registration(seen: &Seen) -> Vec<Said> {
    let Some(map) = &seen.state else {
        return vec![];
    };
    let state = match State::parse(map.as_ref()) {
        Ok(state) => state,
        Err(error) => return vec![problem(error.to_string(), "put it right, or delete it")],
    };
    let resume = format!(
        "run `portcullis resume --namespace {}`",
        seen.place.namespace
    );
    if state.is_paused() {
        let message = format!(
            "the registration is away, and nothing is judged: {}",
            away_line(&state)
        );
        return vec![problem(message, resume)];
    }
    let name = &seen.place.registration;
    let kinds = [
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    ];
    let missing = kinds.iter().zip(&seen.webhooks).zip(seen.ours());
    let missing = missing.filter(|((_, all), ours)| all.is_some() && ours.is_none_or(is_blank));
    missing
        .map(|((kind, _), _)| {
            problem(
                format!("{kind} {name} is not there: what it would bring is not judged"),
                "see that a replica leads; where somebody deleted it, run `portcullis resume`",
            )
        })
        .collect()
}

/// What the leader itself complains of.
pub(super) fn conditions(seen: &Seen) -> Vec<Said> {
    let Some(state) = state(seen) else {
        return vec![];
    };
    let bad = state
        .conditions
        .iter()
        .filter(|one| match one.r#type.as_str() {
            // Told by other checks.
            "Registered" => one.reason != "Away" && one.reason != "AsAsked",
            "FailWithheld" => false,
            _ => !one.status,
        });
    bad.map(|one| {
        let message = format!(
            "{} is {} since {}: {}",
            one.r#type, one.reason, one.since, one.message
        );
        // Open at first is how it begins.
        match one.reason.as_str() {
            "FailsOpen" => note(message, "wait some seconds"),
            _ => problem(message, "mend it as it says"),
        }
    })
    .collect()
}

/// Callers know the CA of the certificate that is served.
pub(super) fn ca_bundle(seen: &Seen) -> Vec<Said> {
    let mut said = vec![];
    for ours in seen.ours().into_iter().flatten() {
        if entries(ours).is_empty() {
            continue;
        }
        let place = format!("{} {}", text(ours, "/kind"), seen.place.registration);
        let Some(bundle) = ca_of(ours) else {
            said.push(problem(
                format!("{place}: entries have no caBundle, or different ones"),
                "see that a replica leads: it mends that within seconds",
            ));
            continue;
        };
        let Some(Some(secret)) = &seen.secret else {
            continue;
        };
        let contents = secret
            .data
            .as_ref()
            .and_then(|data| Contents::parse(data).ok());
        if contents.is_some_and(|contents| !contents.is_known_by(&bundle)) {
            said.push(problem(
                format!("{place}: the caBundle does not hold the CA of the certificate that is served, so that every call fails"),
                "see that a replica leads, and that nobody else writes the configuration",
            ));
        }
    }
    said
}

/// What is asked to fail closed does.
pub(super) fn fail_closed(seen: &Seen) -> Vec<Said> {
    let Some(state) = state(seen) else {
        return vec![];
    };
    let mut withheld = state.conditions.iter();
    let withheld = withheld.find(|one| one.r#type == "FailWithheld" && one.status);
    let names = state
        .withheld_by
        .iter()
        .map(|name| format!("--exclude-namespace={name}"));
    let flags = names.collect::<Vec<_>>().join(" ");
    let said =
        withheld.map(|one| problem(one.message.clone(), format!("start `serve` with {flags}")));
    said.into_iter().collect()
}

/// Whether a manager's fields hold a member of that name, however deep.
fn holds(fields: &Value, member: &str) -> bool {
    let Some(fields) = fields.as_object() else {
        return false;
    };
    fields
        .iter()
        .any(|(key, inner)| key == member || holds(inner, member))
}

/// Nobody else writes our configurations.
pub(super) fn other_writers(seen: &Seen) -> Vec<Said> {
    let mut said = vec![];
    for ours in seen.ours().into_iter().flatten() {
        let injects = !ours["metadata"]["annotations"][INJECT].is_null();
        let managers = list(ours, "/metadata/managedFields").iter();
        let others = managers.filter(|one| {
            let manager = text(one, "/manager");
            manager != MANAGER
                && !(injects && manager == INJECTOR)
                && holds(&one["fieldsV1"], "f:webhooks")
        });
        for other in others {
            let what = match holds(&other["fieldsV1"], "f:caBundle") {
                true => "the caBundle",
                false => "entries",
            };
            said.push(problem(
                format!(
                    "{} {}: `{}` writes {what}, too (last at {}), and what it writes is put back",
                    text(ours, "/kind"),
                    seen.place.registration,
                    text(other, "/manager"),
                    text(other, "/time"),
                ),
                "leave both webhook configurations out of what it keeps",
            ));
        }
    }
    said
}
