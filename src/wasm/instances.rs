//! A component that can be instantiated, and calls into its instances.

use std::sync::Arc;

use serde::Deserialize;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Linker, Lower,
};
use wasmtime::{Store, Trap};

use portcullis_contract::{Description, pointer};

use super::code::not_ours;
use super::engine::Engine;
use super::held::Held;
use super::inspect::description;
use super::lookups;
use super::until::Until;
use crate::policy::spec::Limits;
use crate::policy::{Cause, Failure};

/// The exported interface of the WIT world.
const GUEST: &str = "portcullis:policy/guest@0.1.0";

/// Instances of one component. Each is used for one call, and dropped.
pub(super) struct Instances {
    engine: Arc<Engine>,
    instances: InstancePre<Held>,
    exports: Exports,
}

struct Exports {
    describe: ComponentExportIndex,
    init: ComponentExportIndex,
    evaluate: ComponentExportIndex,
}

/// An instance and what it lives in.
pub(super) type Living = (Store<Held>, Instance);

/// A fault that a guest finds in its settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    path: String,
    message: String,
}

impl Instances {
    /// Looks up what a policy exports.
    ///
    /// # Errors
    ///
    /// If it does not export the WIT world, or imports anything but lookups.
    pub(super) fn new(engine: &Arc<Engine>, component: &Component) -> Result<Self, Failure> {
        let guest = component.get_export_index(None, GUEST);
        let export = |name: &str| {
            component
                .get_export_index(guest.as_ref(), name)
                .filter(|_| guest.is_some())
                .ok_or_else(|| {
                    let message =
                        format!("it does not export `{GUEST}` with `{name}`: see wit/policy.wit");
                    Failure::guest(Cause::Program, message)
                })
        };
        let exports = Exports {
            describe: export("describe")?,
            init: export("init")?,
            evaluate: export("evaluate")?,
        };
        let mut linker = Linker::new(engine.wasmtime());
        lookups::offer(&mut linker).map_err(not_ours)?;
        let instances = linker.instantiate_pre(component).map_err(not_ours)?;
        Ok(Instances {
            engine: Arc::clone(engine),
            instances,
            exports,
        })
    }

    /// A fresh instance.
    pub(super) fn instance(&self, limits: Limits, until: Until) -> Result<Living, Failure> {
        let held = Held::new(limits.memory_bytes());
        let mut store = Store::new(self.engine.wasmtime(), held);
        store.limiter(|held| &mut held.limiter);
        self.engine.stop_at(&mut store, until);
        match self.instances.instantiate(&mut store) {
            Ok(instance) => Ok((store, instance)),
            Err(error) => Err(blame(&error, &store)),
        }
    }

    /// A fresh instance that was given settings, and its faults in them, as it
    /// says them.
    pub(super) fn init(
        &self,
        settings: &str,
        limits: Limits,
        until: Until,
    ) -> Result<(Living, Result<(), String>), Failure> {
        let mut living = self.instance(limits, until)?;
        let answer: (Result<(), String>,) = call(&mut living, &self.exports.init, (settings,))?;
        Ok((living, answer.0))
    }

    /// A fresh instance that took its settings.
    pub(super) fn start(
        &self,
        settings: &str,
        limits: Limits,
        until: Until,
    ) -> Result<Living, Failure> {
        let (living, answer) = self.init(settings, limits, until)?;
        answer.map_err(|faults| settings_failure(&faults))?;
        Ok(living)
    }

    /// What an instance says of the policy.
    pub(super) fn describe(&self, living: &mut Living) -> Result<Description, Failure> {
        let answer: (String,) = call(living, &self.exports.describe, ())?;
        description(answer.0.as_bytes())
    }

    /// What an instance says of a request.
    pub(super) fn evaluate(&self, living: &mut Living, request: &str) -> Result<String, Failure> {
        let answer: (String,) = call(living, &self.exports.evaluate, (request,))?;
        Ok(answer.0)
    }
}

/// Calls an export. The instance must not be used again after a failure.
fn call<P, R>(
    (store, instance): &mut Living,
    export: &ComponentExportIndex,
    params: P,
) -> Result<R, Failure>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift + 'static,
{
    let function = instance
        .get_typed_func::<P, R>(&mut *store, export)
        .map_err(|error| {
            let message = format!(
                "an export has another type than wit/policy.wit: {}",
                error.root_cause()
            );
            Failure::guest(Cause::Program, message)
        })?;
    let result = function.call(&mut *store, params);
    result.map_err(|error| {
        let unanswered = store.data_mut().unanswered.take();
        unanswered.unwrap_or_else(|| blame(&error, store))
    })
}

/// What stopped a guest.
fn blame(error: &wasmtime::Error, store: &Store<Held>) -> Failure {
    let limiter = &store.data().limiter;
    let limit = limiter.memory_mebibytes();
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Failure::guest(
            Cause::Deadline,
            "it did not answer before its deadline and was stopped",
        ),
        _ if limiter.refused => {
            let message = format!("it wanted more memory than its limit of {limit} MiB");
            Failure::guest(Cause::Memory, message)
        }
        Some(trap) => Failure::guest(Cause::Trap, format!("it trapped: {trap}")),
        None if is_exhausted(error) => {
            Failure::host(Cause::Overload, "no slot is free for one more instance")
        }
        None => Failure::guest(
            Cause::Output,
            format!("its answer cannot be read: {}", error.root_cause()),
        ),
    }
}

fn is_exhausted(error: &wasmtime::Error) -> bool {
    error.is::<wasmtime::PoolConcurrencyLimitError>()
}

/// The faults of settings, path and message; None if they cannot be read.
pub(super) fn faults(answer: &str) -> Option<Vec<(String, String)>> {
    let faults: Vec<Fault> = serde_json::from_str(answer).ok()?;
    let faults: Vec<_> = faults.into_iter().map(|f| (f.path, f.message)).collect();
    Some(faults).filter(|faults| !faults.is_empty())
}

/// The faults of settings, one line.
pub(super) fn settings_failure(answer: &str) -> Failure {
    let message = match faults(answer) {
        Some(faults) => {
            let lines: Vec<String> = faults.iter().take(20).map(fault_text).collect();
            format!("its settings are refused: {}", lines.join("; "))
        }
        None => "its settings are refused, and it does not say why as it should".to_owned(),
    };
    Failure::guest(Cause::Settings, message)
}

fn fault_text((path, message): &(String, String)) -> String {
    match pointer::field_path(path).as_str() {
        "" => message.clone(),
        path => format!("`settings.{path}`: {message}"),
    }
}
