//! Other objects: those beside the one that is judged.
//!
//! A policy names the kinds that it looks up ([`crate::Policy::lookups`]), the
//! operator grants each (`spec.lookups`), and `evaluate` asks:
//!
//! ```
//! use portcullis_sdk::prelude::*;
//! use portcullis_sdk::lookups::{self, Looked};
//!
//! /// Nothing is read of a Secret but that it is there.
//! #[derive(Reads, Deserialize)]
//! struct Secret {}
//!
//! impl Looked for Secret {
//!     const API_VERSION: &'static str = "v1";
//!     const KIND: &'static str = "Secret";
//!     const RESOURCE: &'static str = "secrets";
//! }
//!
//! fn is_missing(name: &str) -> bool {
//!     lookups::here::<Secret>().has(name) == Some(false)
//! }
//! # let there = |_: &str, _: &lookups::Query| Some(String::from("{}"));
//! # assert!(!lookups::among(there, || is_missing("db")));
//! ```
//!
//! What is answered is what the host knows at that moment: in a cluster a
//! watch that may lag by moments, and that still has the old form of an object
//! which is updated; among files, all that was given. Objects may be applied
//! in any order, so that what is missing now may come next: warn of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::marker::PhantomData;

use portcullis_contract::lookups::EVERYWHERE;
pub use portcullis_contract::{Lookup, Query};
use serde::de::DeserializeOwned;

use crate::Reads;

/// Objects of a kind that a policy looks up, as far as it reads them.
pub trait Looked: Reads + DeserializeOwned {
    /// Group and version: `v1`, `policy/v1`.
    const API_VERSION: &'static str;
    /// `PodDisruptionBudget`.
    const KIND: &'static str;
    /// The plural: `poddisruptionbudgets`.
    const RESOURCE: &'static str;
    /// Whether the policy loads without the grant; it is then answered None.
    const OPTIONAL: bool = false;

    /// As the description names it.
    fn lookup() -> Lookup {
        let mut reads = BTreeSet::new();
        Self::reads("object", &mut reads);
        Lookup {
            api_version: Self::API_VERSION.into(),
            kind: Self::KIND.into(),
            resource: Self::RESOURCE.into(),
            reads,
            optional: Self::OPTIONAL,
        }
    }
}

/// A place to look in for objects of a kind.
#[derive(Debug, Clone)]
pub struct Place<T> {
    namespace: Option<String>,
    kind: PhantomData<fn() -> T>,
}

/// The namespace of the request.
pub fn here<T: Looked>() -> Place<T> {
    at(None)
}

/// Another namespace; the grant has to say `scope: Cluster`.
pub fn in_namespace<T: Looked>(name: impl Into<String>) -> Place<T> {
    at(Some(name.into()))
}

/// All namespaces, and what is in none; the grant has to say `scope: Cluster`.
pub fn everywhere<T: Looked>() -> Place<T> {
    at(Some(EVERYWHERE.into()))
}

fn at<T>(namespace: Option<String>) -> Place<T> {
    Place {
        namespace,
        kind: PhantomData,
    }
}

impl<T: Looked> Place<T> {
    /// The object of this name, if there is one. None if the lookup is
    /// optional and was not granted, or nobody knows of any objects.
    pub fn get(&self, name: &str) -> Option<Option<T>> {
        let answer = self.named(name)?;
        Some(read(T::KIND, &answer).flatten())
    }

    /// Whether there is an object of this name. None as for [`Place::get`].
    pub fn has(&self, name: &str) -> Option<bool> {
        Some(self.named(name)? != "null")
    }

    /// All objects, by namespace and name. None as for [`Place::get`].
    pub fn list(&self) -> Option<Vec<T>> {
        let answer = ask("list", &self.query())?;
        Some(read(T::KIND, &answer).unwrap_or_default())
    }

    fn named(&self, name: &str) -> Option<String> {
        let query = Query {
            name: Some(name.to_owned()),
            ..self.query()
        };
        ask("get", &query)
    }

    fn query(&self) -> Query {
        Query {
            resource: name::<T>(),
            namespace: self.namespace.clone(),
            ..Query::default()
        }
    }
}

/// What queries call a kind.
fn name<T: Looked>() -> String {
    let group = T::API_VERSION
        .split_once('/')
        .map_or("", |(group, _)| group);
    portcullis_contract::lookups::qualified(group, T::RESOURCE)
}

thread_local! {
    /// An answer that was not what the policy reads: the first one.
    static FAULT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// An answer as the policy reads it. What it cannot be read as is told of when
/// the policy has judged: nothing that it says then counts.
fn read<A: DeserializeOwned>(kind: &str, answer: &str) -> Option<A> {
    // The plain pass is the quick one; only a failure is worth the place.
    if let Ok(read) = serde_json::from_str(answer) {
        return Some(read);
    }
    let mut json = serde_json::Deserializer::from_str(answer);
    match serde_path_to_error::deserialize(&mut json) {
        Ok(read) => Some(read),
        Err(error) => {
            let problem = crate::guest::problem(&error);
            FAULT.with_borrow_mut(|fault| {
                fault.get_or_insert_with(|| format!("a {kind} that it looked up: {problem}"));
            });
            None
        }
    }
}

/// What was wrong with the answers since this was asked last.
pub(crate) fn take_fault() -> Option<String> {
    FAULT.take()
}

#[cfg(target_family = "wasm")]
fn ask(call: &str, query: &Query) -> Option<String> {
    use crate::bindings::portcullis::policy::lookups;
    let query = serde_json::to_string(query).unwrap_or_default();
    match call {
        "get" => lookups::get(&query),
        _ => lookups::list(&query),
    }
}

#[cfg(not(target_family = "wasm"))]
pub use native::among;
#[cfg(not(target_family = "wasm"))]
use native::ask;

#[cfg(not(target_family = "wasm"))]
mod native {
    //! Lookups of a policy that runs as a part of a test.

    use std::cell::RefCell;

    use super::Query;

    /// Answers `get` and `list`.
    type Answers = Box<dyn Fn(&str, &Query) -> Option<String>>;

    thread_local! {
        static ANSWERS: RefCell<Option<Answers>> = const { RefCell::new(None) };
    }

    /// Runs `judge` where `answers` is asked for what is looked up, by `get`
    /// or `list`: for native tests.
    pub fn among<T>(
        answers: impl Fn(&str, &Query) -> Option<String> + 'static,
        judge: impl FnOnce() -> T,
    ) -> T {
        ANSWERS.set(Some(Box::new(answers)));
        let judged = judge();
        ANSWERS.set(None);
        judged
    }

    pub(super) fn ask(call: &str, query: &Query) -> Option<String> {
        ANSWERS.with_borrow(|answers| {
            let answers = answers
                .as_ref()
                .expect("a native policy looks up inside `lookups::among`, or in its cases");
            answers(call, query)
        })
    }
}
