//! Components, and policies made of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_contract::{Description, LOOKUPS, Verdict};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::code::{self, Source, Start};
use super::engine::Engine;
use super::inspect::{Inspected, inspect};
use super::instances::{Instances, Living};
use super::lookups::Looking;
use super::output;
use super::snapshot::{self, Snapshot};
use super::trial::Trial;
use super::until::Until;
use crate::policy::lookup::{Around, Sight};
use crate::policy::spec::Limits;
use crate::policy::{Asked, Cause, Evaluate, Failure};

/// How long `describe` and `init` may take, of the processor's time.
const LOAD_DEADLINE: Duration = Duration::from_secs(5);

/// Until when a guest may run while it is loaded.
pub(super) fn loading() -> Until {
    Until::after(LOAD_DEADLINE)
}

/// A component that may be a policy: nothing of it ran yet.
#[derive(Clone)]
pub struct Loaded {
    engine: Arc<Engine>,
    source: Source,
    description: Arc<Description>,
}

/// A component with its settings: what a policy runs.
#[derive(Clone)]
pub struct Program {
    pub(super) instances: Arc<Instances>,
    pub(super) start: Start,
    pub(super) settings: String,
    pub(super) limits: Limits,
    pub(super) description: Arc<Description>,
    /// Whether it may ask for changes with these settings.
    pub(super) mutates: bool,
    /// See [`Evaluate::identity`].
    pub(super) identity: Option<[u8; 32]>,
    /// What it may look up; None for one that asks for nothing.
    pub(super) sight: Option<Arc<Sight>>,
}

impl Loaded {
    /// Looks at a component without running it.
    ///
    /// # Errors
    ///
    /// What is no component; imports other than lookups; no embedded description, or one that
    /// cannot be read.
    pub fn new(engine: &Arc<Engine>, bytes: &[u8]) -> Result<Loaded, Failure> {
        let inspected = inspect(bytes)?;
        refuse_imports(&inspected)?;
        let description = inspected.description.ok_or_else(|| {
            let message = "it has no embedded description: build it with `portcullis policy build`";
            Failure::guest(Cause::Description, message)
        })?;
        Ok(Loaded {
            engine: Arc::clone(engine),
            source: Source {
                bytes: bytes.into(),
                digest: inspected.digest,
            },
            description: Arc::new(description),
        })
    }

    /// What the component says of itself.
    pub fn description(&self) -> &Arc<Description> {
        &self.description
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> &str {
        &self.source.digest
    }

    /// Compiles the component unless its code is at hand, and gives it
    /// settings, which it validates. Never on a request path: a hostile
    /// component can take long to compile.
    ///
    /// # Errors
    ///
    /// The faults of the settings, each with its place; a component that is no
    /// policy, or describes itself otherwise than it is described.
    pub fn program(
        &self,
        settings: &Map<String, Value>,
        limits: Limits,
    ) -> Result<Program, Failure> {
        let mutates = self.description.mutates(settings);
        let settings = text(settings);
        let code = code::obtain(&self.engine, &self.source, &settings, limits)?;
        let identity = identity(&self.source.digest, &settings, limits);
        let program = Program {
            instances: Arc::new(Instances::new(&self.engine, &code.component)?),
            start: code.start,
            settings,
            limits,
            description: Arc::clone(&self.description),
            mutates,
            identity: Some(identity),
            sight: None,
        };
        let mut living = program.instance(loading())?;
        check(&program.instances, &mut living, &program.description)?;
        Ok(program)
    }

    /// The component as it is tried out: quick to have, slower to run.
    ///
    /// # Errors
    ///
    /// A component that is no policy, or describes itself otherwise than it is
    /// described.
    pub fn trial(&self) -> Result<Trial, Failure> {
        Trial::new(&self.source.bytes, &self.description)
    }

    /// Why the policy runs `init` for every evaluation instead of starting
    /// from a snapshot of the state after it; None if it does not have to.
    ///
    /// # Errors
    ///
    /// Whatever `init` ends with.
    pub fn snapshot_obstacle(
        &self,
        settings: &Map<String, Value>,
        limits: Limits,
    ) -> Result<Option<String>, Failure> {
        match snapshot::take(&self.source.bytes, &text(settings), limits)? {
            Snapshot::Taken(_) => Ok(None),
            Snapshot::Impossible(obstacle) => Ok(Some(obstacle)),
        }
    }

    /// Its code for these settings and any CPU, to be embedded in an
    /// executable.
    ///
    /// # Errors
    ///
    /// As for [`Loaded::program`].
    pub fn precompile(
        &self,
        settings: &Map<String, Value>,
        limits: Limits,
    ) -> Result<Vec<u8>, Failure> {
        code::precompile(&self.source, &text(settings), limits)
    }
}

/// One text for equal settings: members are in order.
pub(super) fn text(settings: &Map<String, Value>) -> String {
    Value::Object(settings.clone()).to_string()
}

pub(super) fn refuse_imports(inspected: &Inspected) -> Result<(), Failure> {
    let looks_up = inspected.description.as_ref();
    let looks_up = looks_up.is_none_or(|description| !description.lookups.is_empty());
    let is_known = |import: &&String| looks_up && *import == LOOKUPS;
    let unknown = inspected.imports.iter().filter(|import| !is_known(import));
    let imports: Vec<&str> = unknown.map(String::as_str).collect();
    if imports.is_empty() {
        return Ok(());
    }
    if imports == [LOOKUPS] {
        let message = format!(
            "it imports `{LOOKUPS}`, and its description names nothing that it looks up: name it \
             in `lookups`"
        );
        return Err(Failure::guest(Cause::Import, message));
    }
    let imports = imports.join("`, `");
    let message = format!(
        "it imports `{imports}`, and a policy may import nothing that it was not granted: \
         build it for wasm32-unknown-unknown, without WASI"
    );
    Err(Failure::guest(Cause::Import, message))
}

/// An instance describes itself as it is described.
pub(super) fn check(
    instances: &Instances,
    living: &mut Living,
    description: &Description,
) -> Result<(), Failure> {
    if instances.describe(living)? == *description {
        return Ok(());
    }
    let message = "it describes itself otherwise than its embedded description: build it anew";
    Err(Failure::guest(Cause::Description, message))
}

/// The identity of a program that is granted lookups.
fn seeing(identity: [u8; 32], sight: &Sight) -> [u8; 32] {
    if sight.is_blind() {
        return identity;
    }
    let mut hash = Sha256::new();
    hash.update(identity);
    for view in sight.granted() {
        hash.update(format!("{} {:?}\n", view.lookup.name(), view.granted));
    }
    hash.finalize().into()
}

impl Program {
    /// The same, which may look these up.
    #[must_use]
    pub fn seeing(self, sight: &Arc<Sight>) -> Program {
        let asks = !self.description.lookups.is_empty();
        Program {
            identity: self.identity.map(|identity| seeing(identity, sight)),
            sight: asks.then(|| Arc::clone(sight)),
            ..self
        }
    }

    /// What every evaluation starts from.
    pub fn start(&self) -> Start {
        self.start
    }

    fn instance(&self, until: Until) -> Result<Living, Failure> {
        match self.start {
            Start::Snapshot => self.instances.instance(self.limits, until),
            Start::Init => self.instances.start(&self.settings, self.limits, until),
        }
    }
}

impl Evaluate for Program {
    fn judge(&self, asked: Asked<'_>, deadline: Instant) -> Result<Verdict, Failure> {
        let mut living = self.instance(Until::at(deadline))?;
        living.0.data_mut().looking = self.sight.as_ref().map(|sight| Looking {
            sight: Arc::clone(sight),
            around: Around {
                namespace: asked.namespace.map(str::to_owned),
                others: asked.others.cloned(),
            },
        });
        let answer = self.instances.evaluate(&mut living, asked.request)?;
        if let Some(looked) = asked.looked {
            looked.set(living.0.data().looked);
        }
        output::verdict(&answer, &self.description, self.mutates)
    }

    /// A program imports nothing but lookups (see [`refuse_imports`]). Where
    /// it makes none, its verdict hangs on its bytes, its settings and the
    /// request alone; whether it makes any, too.
    fn identity(&self) -> Option<[u8; 32]> {
        self.identity
    }
}

/// Each text after its length, so that no two programs give the same bytes.
/// The limit of memory is in it because a guest sees it as `memory.grow`
/// that is refused.
fn identity(digest: &str, settings: &str, limits: Limits) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in [digest, settings] {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.update(limits.memory_mebibytes.to_le_bytes());
    hash.finalize().into()
}
