//! Lookups: which other objects a policy may see, and what it is answered.
//!
//! Three parties agree on each answer: the description names kinds and fields,
//! the operator grants kinds, and the host knows the objects ([`Others`]).
//! Invariant: whatever a guest asks, it sees no field that its description
//! does not read, no kind that was not granted, and no namespace but that of
//! the request unless the grant says `Cluster`.

mod grant;
mod shelf;

use std::sync::Arc;

use portcullis_contract::lookups::{EVERYWHERE, Lookup, Query};
use portcullis_contract::{Description, LabelSelector, Redaction, reads::Reads};

use super::spec::{Grant, Spec};
use super::{Cause, Failure};

pub(super) use grant::validate;
pub use grant::{LookupGrant, LookupScope};
pub use shelf::{Inventory, Shelf};

/// The longest answer, in bytes: a hundredth of a guest's memory, and some
/// thousand objects of a few fields.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Why nothing is known where there is neither a cluster nor a set of files.
const NOBODY: &str = "nobody knows them here; `check`, `audit`, and `serve --cluster` with the \
                      policies of the cluster do";

/// The objects beside the one that is judged. Answers from memory, at once:
/// a guest waits for it.
pub trait Others: Send + Sync {
    /// The object of this name, as the view shows it. `namespace` is empty for
    /// what is in none.
    ///
    /// # Errors
    ///
    /// The objects of the kind are not known.
    fn get(&self, view: &View, namespace: &str, name: &str) -> Result<Option<String>, Unseen>;

    /// A JSON array of all objects in a namespace, or everywhere.
    ///
    /// # Errors
    ///
    /// The objects of the kind are not known, or are too many.
    fn list(
        &self,
        view: &View,
        namespace: Option<&str>,
        selector: Option<&LabelSelector>,
    ) -> Result<String, Unseen>;
}

/// Why objects cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// They are not known, or not yet: why.
    Unknown(String),
    /// Portcullis itself has no right to list them: what is missing.
    Forbidden(String),
    /// There is more than [`MAX_ANSWER_BYTES`].
    TooLong,
}

/// What a policy sees of the objects of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The kind.
    pub lookup: Lookup,
    /// The fields.
    pub column: Column,
    /// What the operator granted; None for an optional lookup that was not.
    pub granted: Option<LookupScope>,
}

/// The fields of an object that are seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The parsed reads.
    pub reads: Arc<Reads>,
    /// Whether values of Secrets and ConfigMaps are blanked.
    pub redaction: Redaction,
}

/// All that one policy may look up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    views: Vec<View>,
}

/// Where an evaluation looks: what is kept of `Asked` for a guest's calls.
#[derive(Clone)]
pub struct Around {
    /// The namespace of the request; None for cluster-scoped objects.
    pub namespace: Option<String>,
    /// The objects; None where nobody knows any.
    pub others: Option<Arc<dyn Others>>,
}

/// Which function was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `get`.
    Get,
    /// `list`.
    List,
}

impl Sight {
    /// What the description names and the operator granted.
    ///
    /// # Errors
    ///
    /// Lookups that are malformed; one that is needed and not granted; a grant
    /// of what is not looked up.
    pub fn new(description: &Description, spec: &Spec) -> Result<Sight, Failure> {
        let views = description.lookups.iter().map(|lookup| view(lookup, spec));
        let views = views.collect::<Result<Vec<View>, Failure>>()?;
        let sight = Sight { views };
        grant::check(description, spec)?;
        Ok(sight)
    }

    /// Whether there is nothing that it may look up, whatever it asks.
    pub fn is_blind(&self) -> bool {
        self.granted().next().is_none()
    }

    /// What was granted.
    pub fn granted(&self) -> impl Iterator<Item = &View> {
        self.views.iter().filter(|view| view.granted.is_some())
    }

    /// Answers a guest. None: the lookup is optional, and either not granted
    /// or asked where nobody knows any objects at all. What was granted is
    /// answered or fails.
    ///
    /// # Errors
    ///
    /// A query that is none, of what the description does not name, or beyond
    /// what was granted; objects that are not known.
    pub fn answer(
        &self,
        call: Call,
        query: &str,
        around: &Around,
    ) -> Result<Option<String>, Failure> {
        let query: Query = serde_json::from_str(query)
            .map_err(|error| bad(&format!("its lookup is malformed: {error}")))?;
        let view = self.view(&query.resource)?;
        let Some(scope) = view.granted else {
            return Ok(None);
        };
        let place = place(&query, scope, around)?;
        let Some(others) = &around.others else {
            return match view.lookup.optional {
                true => Ok(None),
                false => Err(Unseen::Unknown(NOBODY.into()).failure(&query.resource)),
            };
        };
        let answer = match (call, &query.name) {
            (Call::Get, Some(name)) => others
                .get(view, place.as_deref().unwrap_or_default(), name)
                .map(|found| found.unwrap_or_else(|| "null".to_owned())),
            (Call::List, None) => others.list(view, place.as_deref(), query.selector.as_ref()),
            (Call::Get, None) => return Err(bad("its lookup gets an object without a `name`")),
            (Call::List, Some(_)) => return Err(bad("its lookup lists objects of a `name`")),
        };
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(unseen) => Err(unseen.failure(&query.resource)),
        }
    }

    fn view(&self, name: &str) -> Result<&View, Failure> {
        let view = self.views.iter().find(|view| view.lookup.name() == name);
        view.ok_or_else(|| {
            let name: String = name.chars().take(64).collect();
            bad(&format!(
                "it looked up {name:?}, which its description does not name"
            ))
        })
    }
}

/// The namespace that is asked about; None for all of them.
fn place(query: &Query, scope: LookupScope, around: &Around) -> Result<Option<String>, Failure> {
    let own = around.namespace.as_deref();
    let place = match query.namespace.as_deref() {
        None => own.map(str::to_owned).map(Some).ok_or_else(|| {
            bad(&format!(
                "it looked up `{}` in the namespace of a request that has none",
                query.resource
            ))
        })?,
        Some(EVERYWHERE) => None,
        Some(name) => Some(name.to_owned()),
    };
    if scope == LookupScope::Cluster || (own.is_some() && place.as_deref() == own) {
        return Ok(place);
    }
    let message = format!(
        "it looked up `{0}` beyond the namespace of the request: if you trust it with them, write \
         `scope: Cluster` at `{0}` in `spec.lookups`",
        query.resource
    );
    Err(Failure::host(Cause::Grant, message))
}

impl Unseen {
    fn failure(self, resource: &str) -> Failure {
        let message = self.of(resource);
        match self {
            Unseen::Unknown(_) | Unseen::Forbidden(_) => Failure::host(Cause::Lookup, message),
            Unseen::TooLong => Failure::guest(Cause::Lookup, message),
        }
    }

    /// In one line, of the objects of a kind.
    pub fn of(&self, resource: &str) -> String {
        match self {
            Unseen::Unknown(why) | Unseen::Forbidden(why) => {
                format!("`{resource}` cannot be looked up: {why}")
            }
            Unseen::TooLong => format!(
                "its lookup of `{resource}` has an answer of more than {MAX_ANSWER_BYTES} bytes: \
                 let it read less, or select fewer"
            ),
        }
    }
}

fn view(lookup: &Lookup, spec: &Spec) -> Result<View, Failure> {
    let name = lookup.name();
    let refuse = |problem: String| {
        let message = format!("its description has a bad lookup of `{name}`: {problem}");
        Failure::guest(Cause::Description, message)
    };
    let reads = Reads::parse(lookup.reads.iter().map(String::as_str))
        .map_err(|error| refuse(error.to_string()))?;
    if !reads.are_of_an_object() {
        return Err(refuse("what it reads has to start with `object`".into()));
    }
    let words = [&lookup.api_version, &lookup.kind, &lookup.resource];
    if words.iter().any(|word| word.is_empty()) || lookup.resource.contains(['/', '*', '.']) {
        return Err(refuse(
            "it needs `apiVersion`, `kind` and `resource`, its plural".into(),
        ));
    }
    let values = spec.grants.contains(&Grant::Values);
    if !values && !reads.whole_objects().is_empty() {
        let message = format!(
            "it reads all of the `{name}` that it looks up, values included: if you trust it with \
             them, write `spec.grants: [values]`"
        );
        return Err(Failure::host(Cause::Grant, message));
    }
    let granted = spec.lookups.iter().find(|grant| grant.name() == name);
    Ok(View {
        column: Column {
            reads: Arc::new(reads),
            redaction: match values {
                true => Redaction::None,
                false => Redaction::Blank,
            },
        },
        granted: granted.map(|grant| grant.scope),
        lookup: lookup.clone(),
    })
}

/// The rule that Portcullis needs to answer, as it is written in a ClusterRole.
pub fn rule(lookup: &Lookup) -> String {
    let (group, resource) = (lookup.group(), &lookup.resource);
    format!("{{apiGroups: [\"{group}\"], resources: [{resource}], verbs: [list, watch]}}")
}

/// What only a broken guest asks.
fn bad(message: &str) -> Failure {
    Failure::guest(Cause::Output, message)
}

#[cfg(test)]
mod tests;
