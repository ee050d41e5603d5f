//! One kind that is looked up: its watch, and what is known of its objects.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use kube::api::ApiResource;
use kube::core::{DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{self, Event};
use kube::{Client, ResourceExt};
use portcullis_contract::{LabelSelector, Lookup};
use tokio::task::JoinHandle;

use crate::cluster::told::one_line;
use crate::cluster::watching::Watching;
use crate::policy::lookup::{self, Column, Shelf, Unseen};

/// How long to wait before what the cluster does not have, or does not allow,
/// is asked for again: until somebody defines or grants it.
const PATIENCE: Duration = Duration::from_secs(30);

/// One kind, watched until this is dropped.
pub(super) struct Kind {
    lookup: Lookup,
    columns: Vec<Column>,
    state: Arc<RwLock<State>>,
    task: JoinHandle<()>,
}

/// What is known of the objects.
#[derive(Default)]
struct State {
    /// The last complete list, with the changes since.
    shelf: Option<Shelf>,
    /// What is wrong with the watch.
    problem: Option<Unseen>,
}

impl Drop for Kind {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Kind {
    /// Begins to watch. Until the first list is complete, what is known is
    /// what was `before`.
    pub(super) fn watch(
        client: &Client,
        lookup: &Lookup,
        columns: Vec<Column>,
        before: Option<Kind>,
    ) -> Kind {
        let state = before.map_or_else(Arc::default, |before| Arc::clone(&before.state));
        let watch = Watch {
            lookup: lookup.clone(),
            incoming: Shelf::new(columns.clone()),
            columns: columns.clone(),
            state: Arc::clone(&state),
        };
        let is_metadata = columns.iter().all(|column| column.reads.are_of_metadata());
        let watching = Watching::of_many(client.clone(), resource(lookup), is_metadata);
        Kind {
            lookup: lookup.clone(),
            columns,
            state,
            task: tokio::spawn(watch.run(watching)),
        }
    }

    /// Whether it is watched for these columns.
    pub(super) fn has(&self, columns: &[Column]) -> bool {
        self.columns == columns
    }

    pub(super) fn name(&self) -> String {
        self.lookup.name()
    }

    /// Whether the objects are known, or why they are not.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.state();
        state.shelf.is_some() || state.problem.is_some()
    }

    /// Why a lookup is not answered; None if it is, or nobody knows yet.
    pub(super) fn problem(&self) -> Option<Unseen> {
        let state = self.state();
        let problem = state.problem.clone();
        problem.filter(|_| state.shelf().is_err())
    }

    /// One line for `/readyz?verbose`.
    pub(super) fn describe(&self) -> String {
        let state = self.state();
        match (&state.problem, &state.shelf) {
            (Some(Unseen::Forbidden(why) | Unseen::Unknown(why)), None) => why.clone(),
            (Some(Unseen::Forbidden(why) | Unseen::Unknown(why)), Some(_)) => {
                format!("not watched, what is known stays: {why}")
            }
            (_, Some(shelf)) => format!("watched, {} objects", shelf.len()),
            (_, None) => "waiting for the first list".to_owned(),
        }
    }

    pub(super) fn get(
        &self,
        column: &Column,
        namespace: &str,
        name: &str,
    ) -> Result<Option<String>, Unseen> {
        let state = self.state();
        let found = state.shelf()?.get(column, namespace, name)?;
        Ok(found.map(str::to_owned))
    }

    pub(super) fn list(
        &self,
        column: &Column,
        namespace: Option<&str>,
        selector: Option<&LabelSelector>,
    ) -> Result<String, Unseen> {
        self.state().shelf()?.list(column, namespace, selector)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The objects. Where the right to see them was withdrawn, those of before
    /// are not gone on with.
    fn shelf(&self) -> Result<&Shelf, Unseen> {
        match (&self.shelf, &self.problem) {
            (_, Some(forbidden @ Unseen::Forbidden(_))) => Err(forbidden.clone()),
            (Some(shelf), _) => Ok(shelf),
            (None, Some(problem)) => Err(problem.clone()),
            (None, None) => {
                let why = "the first list of them is not complete yet";
                Err(Unseen::Unknown(why.into()))
            }
        }
    }
}

fn resource(lookup: &Lookup) -> ApiResource {
    let version = lookup.api_version.rsplit('/').next().unwrap_or_default();
    let kind = GroupVersionKind::gvk(lookup.group(), version, &lookup.kind);
    ApiResource::from_gvk_with_plural(&kind, &lookup.resource)
}

/// Brings what is known up to date.
struct Watch {
    lookup: Lookup,
    columns: Vec<Column>,
    /// A list that is not complete yet.
    incoming: Shelf,
    state: Arc<RwLock<State>>,
}

impl Watch {
    async fn run(mut self, mut watching: Watching<DynamicObject>) {
        loop {
            match watching.next().await {
                Ok(event) => self.take(event),
                Err(error) => {
                    if self.fail(&error) {
                        tokio::time::sleep(PATIENCE).await;
                    }
                }
            }
        }
    }

    fn take(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.incoming = Shelf::new(self.columns.clone()),
            Event::InitApply(object) => put(&mut self.incoming, &self.lookup, &object),
            Event::InitDone => {
                let shelf = std::mem::replace(&mut self.incoming, Shelf::new(vec![]));
                let known = State {
                    shelf: Some(shelf),
                    problem: None,
                };
                if self.learn(known).is_some() {
                    let resource = self.lookup.name();
                    tracing::info!(resource, "what policies look up is watched");
                }
            }
            Event::Apply(object) => self.change(|shelf, lookup| put(shelf, lookup, &object)),
            Event::Delete(object) => {
                let namespace = object.namespace().unwrap_or_default();
                self.change(|shelf, _| shelf.remove(&namespace, &object.name_any()));
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Shelf, &Lookup)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = &mut state.shelf {
            change(shelf, &self.lookup);
        }
        state.problem = None;
    }

    /// Takes a state; gives the problem that there was before, or that nothing
    /// was known.
    fn learn(&self, known: State) -> Option<Option<Unseen>> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, known);
        (before.shelf.is_none() || before.problem.is_some()).then_some(before.problem)
    }

    /// Notes why the watch ended. Whether there is no use in trying again soon.
    fn fail(&self, error: &watcher::Error) -> bool {
        let resource = self.lookup.name();
        let (shelf, problem) = match code(error) {
            Some(404) => (Some(Shelf::new(self.columns.clone())), None),
            Some(403) => {
                let why = format!(
                    "Portcullis has no right to see them: add {} to its ClusterRole \
                     (`rbac.lookups` of the chart)",
                    lookup::rule(&self.lookup)
                );
                (None, Some(Unseen::Forbidden(why)))
            }
            _ => (None, Some(Unseen::Unknown(one_line(error)))),
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(problem) = &problem
            && state.problem.is_none()
        {
            let problem = format!("{problem:?}");
            tracing::warn!(resource, problem, "what policies look up is not watched");
        }
        let is_final = shelf.is_some() || matches!(problem, Some(Unseen::Forbidden(_)));
        state.problem = problem;
        if is_final {
            state.shelf = shelf;
        }
        is_final
    }
}

fn put(shelf: &mut Shelf, lookup: &Lookup, object: &DynamicObject) {
    // What came as JSON goes as JSON.
    if let Ok(value) = serde_json::to_value(object) {
        shelf.put(lookup, value);
    }
}

/// What the API server answered instead of a list or a watch.
fn code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => Some(status.code),
        watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
