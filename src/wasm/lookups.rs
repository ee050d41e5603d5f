//! The capability `lookups` of `wit/lookups.wit`: what a guest asks of other
//! objects while it judges.
//!
//! A lookup that cannot be answered ends the evaluation: the guest is never
//! given an error, and what it makes of one is not believed.

use std::sync::Arc;

use portcullis_contract::LOOKUPS;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::held::Held;
use crate::policy::lookup::{Around, Call, Sight};
use crate::policy::{Cause, Failure};

/// What a running guest may look up, and where.
pub(super) struct Looking {
    pub(super) sight: Arc<Sight>,
    pub(super) around: Around,
}

/// Why a guest was stopped, for wasmtime; the failure itself is in the store.
#[derive(Debug, thiserror::Error)]
#[error("the lookup cannot be answered")]
struct Unanswered;

/// Offers the functions to components that import them.
pub(super) fn offer(linker: &mut Linker<Held>) -> wasmtime::Result<()> {
    let mut lookups = linker.instance(LOOKUPS)?;
    for (name, call) in [("get", Call::Get), ("list", Call::List)] {
        lookups.func_wrap(
            name,
            move |store: StoreContextMut<'_, Held>, (query,): (String,)| {
                answer(store, call, &query).map(|answer| (answer,))
            },
        )?;
    }
    Ok(())
}

fn answer(
    mut store: StoreContextMut<'_, Held>,
    call: Call,
    query: &str,
) -> wasmtime::Result<Option<String>> {
    let held = store.data_mut();
    // An optional lookup that was not granted is always answered alike.
    let is_blind = held.looking.as_ref().is_none_or(|one| one.sight.is_blind());
    held.looked |= !is_blind;
    let answer = match &held.looking {
        Some(looking) => looking.sight.answer(call, query, &looking.around),
        None => Err(too_early()),
    };
    answer.map_err(|failure| {
        held.unanswered = Some(failure);
        Unanswered.into()
    })
}

fn too_early() -> Failure {
    let message = "it looked something up where nothing can be: lookups are for `evaluate`, and \
                   for what the host was told of";
    Failure::guest(Cause::Lookup, message)
}
