//! Which ConfigMaps are at `Audit`, where a value that is put in a placeholder's stead
//! stays, and which miss a value that was moved, and take it anew. Watched, so that who
//! applies the same again to any other need not wait for a read.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::Event;
use kube::{Client, ResourceExt};

use crate::cluster::relocation::resource::{self, Stage};
use crate::cluster::told::one_line;
use crate::cluster::watching::Watching;

/// These, as a watch knows them.
#[derive(Default)]
pub(super) struct Unsettled {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// None before the first list, and after the watch has failed.
    known: Option<Places>,
    /// A list that is not complete yet.
    incoming: Places,
}

/// Namespace and name.
type Places = BTreeSet<(String, String)>;

impl Unsettled {
    /// Whether this ConfigMap is none of them, for all that is known. By it a
    /// value may stay moved, and none may be left in the open or be moved: the watch
    /// can be late.
    pub(super) fn are_without(&self, namespace: &str, name: &str) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let place = (namespace.to_owned(), name.to_owned());
        let known = state.known.as_ref();
        known.is_some_and(|known| !known.contains(&place))
    }

    /// Keeps it so for as long as the process runs.
    pub(super) async fn watch(&self, client: Client) {
        let all = Api::<DynamicObject>::all_with(client, &resource::resource());
        let mut watching = Watching::new(all);
        loop {
            let event = watching.next().await;
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            match event {
                Ok(event) => state.take(event),
                Err(error) => {
                    state.known = None;
                    let problem = one_line(&error);
                    tracing::warn!(problem, "Relocations are not watched; it is tried again");
                }
            }
        }
    }
}

impl State {
    fn take(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.incoming.clear(),
            Event::InitApply(object) => note(&mut self.incoming, &object),
            Event::InitDone => self.known = Some(std::mem::take(&mut self.incoming)),
            Event::Apply(object) => {
                if let Some(known) = &mut self.known {
                    note(known, &object);
                }
            }
            Event::Delete(object) => {
                if let Some(known) = &mut self.known {
                    known.remove(&place(&object));
                }
            }
        }
    }
}

fn note(places: &mut Places, object: &DynamicObject) {
    let place = place(object);
    let is_at_audit = resource::spec(object).stage == Stage::Audit;
    match is_at_audit || resource::status(object).is_dangling() {
        true => places.insert(place),
        false => places.remove(&place),
    };
}

fn place(object: &DynamicObject) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::relocation::resource::{DANGLING, Spec};

    fn at(name: &str, stage: Stage) -> DynamicObject {
        let spec = Spec {
            stage,
            ..Spec::default()
        };
        resource::new(name, &spec).within("shop")
    }

    fn missing(name: &str) -> DynamicObject {
        let mut object = at(name, Stage::Redact);
        object.data["status"]["state"] = DANGLING.into();
        object
    }

    fn unsettled(events: impl IntoIterator<Item = Event<DynamicObject>>) -> Unsettled {
        let mut state = State::default();
        events.into_iter().for_each(|event| state.take(event));
        Unsettled {
            state: RwLock::new(state),
        }
    }

    #[test]
    fn nothing_is_known_before_a_list_is_whole() {
        let begun = [Event::Init, Event::InitApply(at("app", Stage::Audit))];
        assert!(!unsettled(begun.clone()).are_without("shop", "other"));
        let unsettled = unsettled(begun.into_iter().chain([Event::InitDone]));
        assert!(unsettled.are_without("shop", "other"));
        assert!(unsettled.are_without("other", "app"));
        assert!(!unsettled.are_without("shop", "app"));
    }

    #[test]
    fn a_change_is_followed() {
        let mut events = vec![Event::Init, Event::InitDone];
        for (event, is_without) in [
            (Event::Apply(at("app", Stage::Audit)), false),
            (Event::Apply(at("app", Stage::Prepare)), true),
            (Event::Apply(at("app", Stage::Audit)), false),
            (Event::Delete(at("app", Stage::Audit)), true),
            (Event::Apply(at("app", Stage::Redact)), true),
            (Event::Apply(missing("app")), false),
            (Event::Apply(at("app", Stage::Redact)), true),
        ] {
            events.push(event);
            let unsettled = unsettled(events.clone());
            let told = unsettled.are_without("shop", "app");
            assert_eq!(told, is_without, "{events:?}");
        }
    }
}
