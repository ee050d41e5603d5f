//! Exemptions among the manifests, and those of the policies' own files.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use super::judge::Given;
use crate::finding::exempting::{self, View};
use crate::finding::{Place, Report};
use crate::policy::PolicySet;
use crate::policy::action::Action;
use crate::policy::exemption::book::{Book, Unreadable};
use crate::policy::exemption::{self, Exemption};
use crate::source;

/// Whether exemptions among the manifests count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// They are applied together with the rest.
    #[default]
    AsApplied,
    /// Only those count that stand beside the policies.
    OfPoliciesAlone,
}

/// The same policies, with the exemptions among the inputs besides their own.
pub(super) fn of(set: &PolicySet, objects: &[Given], trust: Trust) -> PolicySet {
    let own = Arc::clone(&set.exemptions().load());
    let mut all: Vec<Exemption> = own.all().into_iter().map(|one| (**one).clone()).collect();
    let mut unreadable = own.unreadable.clone();
    for given in objects.iter().filter(|_| trust == Trust::AsApplied) {
        match parse(given) {
            Some(Ok(exemption)) => all.push(exemption),
            Some(Err(broken)) => unreadable.push(broken),
            None => {}
        }
    }
    let mut book = Book::new(all, Timestamp::now);
    book.unreadable = unreadable;
    set.exempting(Arc::new(book.into()))
}

fn parse(given: &Given) -> Option<Result<Exemption, Unreadable>> {
    let value = &given.object.value;
    if !exemption::is_one(value) {
        return None;
    }
    let origin = source::origin(&given.object, &given.file);
    Some(match Exemption::parse(value) {
        Ok(exemption) => Ok(Exemption {
            origin: Some(origin),
            ..exemption
        }),
        Err(error) => {
            let who = crate::judge::identity(value);
            let at = given.object.position(&error.pointer);
            Err(Unreadable {
                namespace: who.namespace.unwrap_or_else(|| "default".to_owned()),
                name: who.name,
                origin: Some(exemption::Origin {
                    position: (at.line, at.column),
                    ..origin
                }),
                error,
                uid: None,
            })
        }
    })
}

/// Lists them, with what is wrong with them. Whether one is needed hangs on
/// objects that may not be among the files, so that is an audit line only.
pub(super) fn settle(report: &mut Report, set: &PolicySet, objects: &[Given]) {
    let places: BTreeMap<(&str, usize, Option<usize>), &Given> = objects
        .iter()
        .map(|given| {
            (
                (&*given.file, given.object.document, given.object.item),
                given,
            )
        })
        .collect();
    let place = |one: &Exemption, path: &str| {
        let Some(origin) = &one.origin else {
            return Place::default();
        };
        let key = (origin.file.as_str(), origin.document, origin.item);
        match places.get(&key) {
            Some(given) => super::judge::place(given, path),
            None => Place::from(origin),
        }
    };
    let view = View {
        namespaces: &[],
        knows_policies: true,
        unused: (Action::Audit, "among these files"),
    };
    exempting::settle(report, set, view, place);
}
