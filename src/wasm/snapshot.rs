//! The state of a guest after `init`, as a component of its own.
//!
//! `init` runs once; what it left in memory becomes the initial memory of a
//! new component, and every evaluation starts from there. Wizer does the
//! rewriting. Some guests it cannot take (modules nested in components,
//! tables that change, vector globals): those run `init` each time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use wasmtime::Store;
use wasmtime::component::{Component, Instance, Lift, WasmList};
use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};

use super::engine::Engine;
use super::held::Held;
use super::instances::Instances;
use super::program::loading;
use crate::policy::spec::Limits;
use crate::policy::{Cause, Failure};

/// What came of an attempt.
pub(super) enum Snapshot {
    /// The component after `init`.
    Taken(Vec<u8>),
    /// Why there can be none, one line.
    Impossible(String),
}

/// Runs `init` and takes the snapshot, in an engine of its own: the code runs
/// once, so that it is compiled for a quick start.
///
/// # Errors
///
/// Whatever `init` itself would end with, refused settings above all.
pub(super) fn take(bytes: &[u8], settings: &str, limits: Limits) -> Result<Snapshot, Failure> {
    // Wizer's own faults with a guest that nobody foresaw are no reason to
    // refuse the policy.
    let wizer = Wizer::new();
    let instrumented = catch_unwind(AssertUnwindSafe(|| wizer.instrument_component(bytes)));
    let (context, instrumented) = match instrumented {
        Ok(Ok(instrumented)) => instrumented,
        Ok(Err(error)) => return Ok(Snapshot::Impossible(format!("{error:#}"))),
        Err(_) => return Ok(Snapshot::Impossible("wizer failed".into())),
    };
    let engine = scratch()?;
    let Ok(component) = Component::new(engine.wasmtime(), &instrumented) else {
        return Ok(Snapshot::Impossible(
            "its instrumented form does not compile".into(),
        ));
    };
    let instances = Instances::new(&engine, &component)?;
    let (mut store, instance) = instances.start(settings, limits, loading())?;
    // What runs from here on is wizer's own and short.
    engine.stop_at(&mut store, loading());
    let snapshot = catch_unwind(AssertUnwindSafe(|| {
        rewrite(&wizer, &context, &mut store, instance)
    }));
    Ok(snapshot.unwrap_or_else(|_| Snapshot::Impossible("wizer failed".into())))
}

/// An engine for what runs once.
pub(super) fn scratch() -> Result<Arc<Engine>, Failure> {
    let engine = Engine::scratch();
    engine
        .map(Arc::new)
        .map_err(|error| Failure::host(Cause::Program, error.to_string()))
}

fn rewrite(
    wizer: &Wizer,
    context: &ComponentContext<'_>,
    store: &mut Store<Held>,
    instance: Instance,
) -> Snapshot {
    let mut state = State {
        store,
        instance,
        fault: None,
    };
    // Nothing in it waits: our half answers at once.
    let rewritten = wizer.snapshot_component(context, &mut state).now_or_never();
    match (rewritten, state.fault) {
        (Some(Ok(component)), None) => Snapshot::Taken(component),
        (_, Some(fault)) => Snapshot::Impossible(fault),
        (Some(Err(error)), None) => Snapshot::Impossible(format!("{error:#}")),
        (None, None) => Snapshot::Impossible("wizer did not finish".into()),
    }
}

/// Reads an instance's memories and globals for wizer, through the accessors
/// that it added.
struct State<'a> {
    store: &'a mut Store<Held>,
    instance: Instance,
    fault: Option<String>,
}

impl State<'_> {
    fn call<R: Lift + 'static>(&mut self, interface: &str, function: &str) -> Option<R> {
        let result = self.try_call(interface, function);
        if let Err(error) = &result {
            self.fault
                .get_or_insert_with(|| format!("its state cannot be read: {error:#}"));
        }
        result.ok()
    }

    fn try_call<R: Lift + 'static>(
        &mut self,
        interface: &str,
        function: &str,
    ) -> wasmtime::Result<R> {
        let missing = || wasmtime::format_err!("`{interface}` has no `{function}`");
        let store = &mut *self.store;
        let (_, interface) = self
            .instance
            .get_export(&mut *store, None, interface)
            .ok_or_else(missing)?;
        let (_, export) = self
            .instance
            .get_export(&mut *store, Some(&interface), function)
            .ok_or_else(missing)?;
        let function = self
            .instance
            .get_typed_func::<(), (R,)>(&mut *store, export)?;
        Ok(function.call(&mut *store, ())?.0)
    }
}

impl ComponentInstanceState for State<'_> {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        match self.call::<WasmList<u8>>(instance, func) {
            Some(list) => contents(list.as_le_slice(&*self.store)),
            None => contents(&[]),
        }
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func).unwrap_or_default()
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func).unwrap_or_default()
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call::<f32>(instance, func)
            .unwrap_or_default()
            .to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call::<f64>(instance, func)
            .unwrap_or_default()
            .to_bits()
    }
}
