//! Components that are compiled, and policies made of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_contract::{Description, Verdict, pointer};
use serde::Deserialize;
use serde_json::{Map, Value};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Linker, Lower,
};
use wasmtime::{Store, Trap};

use super::engine::Engine;
use super::inspect::{Inspected, description, inspect};
use super::limiter::Limiter;
use super::output;
use crate::policy::spec::Limits;
use crate::policy::{Cause, Evaluate, Failure};

/// The exported interface of the WIT world.
const GUEST: &str = "portcullis:policy/guest@0.1.0";
/// How long `describe` and `init` may take.
const LOAD_DEADLINE: Duration = Duration::from_secs(5);

/// A compiled component whose description was found to be true.
#[derive(Clone)]
pub struct Loaded {
    engine: Arc<Engine>,
    instances: InstancePre<Limiter>,
    exports: Exports,
    description: Arc<Description>,
    digest: String,
}

#[derive(Clone)]
struct Exports {
    describe: ComponentExportIndex,
    init: ComponentExportIndex,
    evaluate: ComponentExportIndex,
}

/// A component with its settings: what a policy runs.
pub struct Program {
    loaded: Loaded,
    settings: String,
    limits: Limits,
}

/// A fresh instance, and the faults that it found in its settings.
type Initialised = (Store<Limiter>, Instance, Result<(), String>);

/// A fault that a guest finds in its settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    path: String,
    message: String,
}

impl Loaded {
    /// Compiles a component and checks it: never on a request path, since a
    /// hostile one can take long.
    ///
    /// # Errors
    ///
    /// What is no policy; imports; a description that differs from the
    /// embedded one.
    pub fn new(engine: &Arc<Engine>, bytes: &[u8]) -> Result<Loaded, Failure> {
        let inspected = inspect(bytes)?;
        let loaded = compile(engine, bytes, &inspected)?;
        match &inspected.description {
            None => Err(Failure::guest(
                Cause::Description,
                "it has no embedded description: build it with `cargo xtask build`",
            )),
            Some(embedded) if *embedded != *loaded.description => Err(Failure::guest(
                Cause::Description,
                "it describes itself otherwise than its embedded description: build it anew",
            )),
            Some(_) => Ok(loaded),
        }
    }

    /// The description that a guest gives when it is run: for the build,
    /// which embeds it.
    pub(super) fn undescribed(engine: &Arc<Engine>, bytes: &[u8]) -> Result<Loaded, Failure> {
        compile(engine, bytes, &inspect(bytes)?)
    }

    /// What the component says of itself.
    pub fn description(&self) -> &Arc<Description> {
        &self.description
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Gives the component settings, which it validates.
    ///
    /// # Errors
    ///
    /// The faults of the settings, each with its place.
    pub fn program(
        &self,
        settings: &Map<String, Value>,
        limits: Limits,
    ) -> Result<Program, Failure> {
        let settings = Value::Object(settings.clone()).to_string();
        let program = Program {
            loaded: self.clone(),
            settings,
            limits,
        };
        program.start(Instant::now() + LOAD_DEADLINE)?;
        Ok(program)
    }

    /// The faults that the component finds in settings, path and message, as
    /// it says them; empty if it takes them. For case files, which expect
    /// them; people read those of [`Loaded::program`].
    ///
    /// # Errors
    ///
    /// Whatever kept it from answering, faults that cannot be read included.
    pub fn faults(&self, settings: &Map<String, Value>) -> Result<Vec<(String, String)>, Failure> {
        let program = Program {
            loaded: self.clone(),
            settings: Value::Object(settings.clone()).to_string(),
            limits: Limits::default(),
        };
        let (_, _, answer) = program.init(Instant::now() + LOAD_DEADLINE)?;
        let Err(faults) = answer else {
            return Ok(vec![]);
        };
        match serde_json::from_str::<Vec<Fault>>(&faults) {
            Ok(read) if !read.is_empty() => {
                Ok(read.into_iter().map(|f| (f.path, f.message)).collect())
            }
            _ => Err(settings_failure(&faults)),
        }
    }

    fn store(&self, limits: Limits, deadline: Instant) -> Store<Limiter> {
        let mut store = Store::new(self.engine.wasmtime(), Limiter::new(limits.memory_bytes()));
        store.limiter(|limiter| limiter);
        store.set_epoch_deadline(Engine::ticks_until(deadline));
        store
    }

    fn instantiate(&self, store: &mut Store<Limiter>) -> Result<Instance, Failure> {
        let result = self.instances.instantiate(&mut *store);
        result.map_err(|error| blame(&error, store))
    }

    fn describe(&self) -> Result<Description, Failure> {
        let mut store = self.store(Limits::default(), Instant::now() + LOAD_DEADLINE);
        let instance = self.instantiate(&mut store)?;
        let answer: (String,) = call(&instance, &mut store, &self.exports.describe, ())?;
        description(answer.0.as_bytes())
    }
}

fn compile(engine: &Arc<Engine>, bytes: &[u8], inspected: &Inspected) -> Result<Loaded, Failure> {
    if !inspected.imports.is_empty() {
        let imports = inspected.imports.join("`, `");
        let message = format!(
            "it imports `{imports}`, and a policy may import nothing that it was not granted: \
             build it for wasm32-unknown-unknown, without WASI"
        );
        return Err(Failure::guest(Cause::Import, message));
    }
    let program = |error: wasmtime::Error| {
        let message = format!("it is no policy of this host: {}", error.root_cause());
        Failure::guest(Cause::Program, message)
    };
    let component = Component::new(engine.wasmtime(), bytes).map_err(program)?;
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
    let instances = Linker::new(engine.wasmtime())
        .instantiate_pre(&component)
        .map_err(program)?;
    let placeholder = Arc::new(placeholder());
    let digest = inspected.digest.clone();
    let mut loaded = Loaded {
        engine: Arc::clone(engine),
        instances,
        exports,
        description: placeholder,
        digest,
    };
    loaded.description = Arc::new(loaded.describe()?);
    Ok(loaded)
}

/// Stands in until the guest has described itself, two lines further on.
fn placeholder() -> Description {
    Description {
        interface: String::new(),
        name: String::new(),
        version: String::new(),
        summary: String::new(),
        documentation: String::new(),
        matches: portcullis_contract::MatchConstraints::default(),
        reads: std::collections::BTreeSet::new(),
        codes: vec![],
        mutating: false,
        effects: std::collections::BTreeSet::new(),
        settings: Value::Null,
    }
}

impl Program {
    /// A fresh instance that took its settings.
    fn start(&self, deadline: Instant) -> Result<(Store<Limiter>, Instance), Failure> {
        let (store, instance, answer) = self.init(deadline)?;
        answer.map_err(|faults| settings_failure(&faults))?;
        Ok((store, instance))
    }

    /// A fresh instance and its word on its settings.
    fn init(&self, deadline: Instant) -> Result<Initialised, Failure> {
        let mut store = self.loaded.store(self.limits, deadline);
        let instance = self.loaded.instantiate(&mut store)?;
        let init = &self.loaded.exports.init;
        let answer: (Result<(), String>,) =
            call(&instance, &mut store, init, (self.settings.as_str(),))?;
        Ok((store, instance, answer.0))
    }
}

impl Evaluate for Program {
    fn evaluate(&self, request: &str, deadline: Instant) -> Result<Verdict, Failure> {
        let (mut store, instance) = self.start(deadline)?;
        let evaluate = &self.loaded.exports.evaluate;
        let answer: (String,) = call(&instance, &mut store, evaluate, (request,))?;
        output::verdict(&answer.0, &self.loaded.description)
    }
}

/// Calls an export. The instance must not be used again after a failure.
fn call<P, R>(
    instance: &Instance,
    store: &mut Store<Limiter>,
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
    result.map_err(|error| blame(&error, store))
}

/// What stopped a guest.
fn blame(error: &wasmtime::Error, store: &Store<Limiter>) -> Failure {
    let limit = store.data().memory_mebibytes();
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Failure::guest(
            Cause::Deadline,
            "it did not answer before its deadline and was stopped",
        ),
        _ if store.data().refused => {
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

/// The faults of settings, one line.
fn settings_failure(faults: &str) -> Failure {
    let message = match serde_json::from_str::<Vec<Fault>>(faults) {
        Ok(faults) if !faults.is_empty() => {
            let lines: Vec<String> = faults.iter().take(20).map(fault_text).collect();
            format!("its settings are refused: {}", lines.join("; "))
        }
        _ => "its settings are refused, and it does not say why as it should".to_owned(),
    };
    Failure::guest(Cause::Settings, message)
}

fn fault_text(fault: &Fault) -> String {
    match pointer::field_path(&fault.path).as_str() {
        "" => fault.message.clone(),
        path => format!("`settings.{path}`: {}", fault.message),
    }
}
