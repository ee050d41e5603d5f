//! What must hold in every state: I1 to I6 of the design (reliability.md, 8).

use portcullis_relocation::names::is_staged;
use portcullis_relocation::promotion::{is_promoted, wanted};
use stateright::Property;

use crate::World;
use crate::reconciler::{Pod, serving_name};
use crate::state::{FOREIGN, KEY, State, foreign, value};

/// What holds of what is stored, told once for all states that store the same.
#[derive(Clone, Copy)]
pub(crate) struct Checks {
    no_plaintext: bool,
    resolves: bool,
    others_stay: bool,
    published_is_served: bool,
    served_was_committed: bool,
    settles: bool,
}

pub(crate) fn properties() -> Vec<Property<World>> {
    vec![
        Property::always("I1 no value is in a stored ConfigMap", |world, state| {
            checks(world, state).no_plaintext
        }),
        Property::always(
            "I2 a stored placeholder stands for its value",
            |world, state| checks(world, state).resolves,
        ),
        Property::always("I3 no Secret of others changes", |world, state| {
            checks(world, state).others_stay
        }),
        Property::always("I4 and I6, seen in steps", |_, state: &State| {
            state.broken.is_none()
        }),
        Property::always(
            "I5 in the end nothing is left and all is served",
            |world, state| checks(world, state).settles,
        ),
        Property::always("I6 what is published is served", |world, state| {
            checks(world, state).published_is_served
        }),
        Property::always("only what was committed is served", |world, state| {
            checks(world, state).served_was_committed
        }),
        Property::sometimes("a pod runs", |_, state: &State| state.pod == Pod::Started),
    ]
}

fn checks(world: &World, state: &State) -> Checks {
    let quiet = World::is_quiet(state);
    let stored = (&state.config_map, &state.cached, &state.secrets);
    let input = (stored, &state.published, &state.history, state.clock, quiet);
    world.checks.get(&input, || Checks {
        no_plaintext: no_plaintext(state),
        resolves: resolves(state),
        others_stay: state.secrets.get(FOREIGN) == Some(&foreign()),
        published_is_served: published_is_served(state),
        served_was_committed: served_was_committed(state),
        settles: !quiet || settles(world, state),
    })
}

fn no_plaintext(state: &State) -> bool {
    let stored = state.config_map.as_deref().map(ToString::to_string);
    !stored.is_some_and(|text| text.contains("value-"))
}

fn resolves(state: &State) -> bool {
    let Some(config_map) = &state.config_map else {
        return true;
    };
    let named = wanted(config_map).unwrap_or_default();
    let holds = |name: &String| {
        let held = state.secrets.get(name)?.held.data.get(KEY)?;
        Some(held.expose() == value(state.meant()?).as_bytes())
    };
    named.is_empty() == state.meant().is_none()
        && named.iter().all(|name| holds(name) == Some(true))
}

/// The text that is served for the key.
fn served(state: &State) -> Option<&[u8]> {
    let held = state.serving()?.data.get(KEY)?;
    Some(held.expose())
}

fn is_served(state: &State) -> bool {
    let meant = state.meant().map(|number| value(number).into_bytes());
    served(state) == meant.as_deref()
}

fn published_is_served(state: &State) -> bool {
    let (Some(config_map), Some(said)) = (&state.config_map, &state.published) else {
        return true;
    };
    !is_promoted(config_map, &said.0, &said.1) || is_served(state)
}

fn served_was_committed(state: &State) -> bool {
    let mut ever = state.history.iter().flatten();
    served(state).is_none_or(|held| ever.any(|number| value(*number).as_bytes() == held))
}

fn settles(world: &World, state: &State) -> bool {
    let state = world.settled(state);
    let named = state.config_map.as_deref().map(wanted);
    let named = named.and_then(Result::ok).unwrap_or_default();
    let staged = state.secrets.keys().filter(|name| is_staged(name));
    let no_orphan = staged.eq(&named)
        && (state.config_map.is_some() || !state.secrets.contains_key(&serving_name()));
    no_orphan && is_served(&state)
}
