//! A component that is tried out: compiled once and quickly, for any number
//! of settings. What is in force comes from `Loaded::program`.

use std::sync::Arc;

use portcullis_contract::Description;
use serde_json::{Map, Value};
use wasmtime::component::Component;

use super::code::{Start, not_ours};
use super::instances::{Instances, faults, settings_failure};
use super::program::{Program, check, loading, text};
use super::snapshot::scratch;
use crate::policy::Failure;
use crate::policy::spec::Limits;

/// A component that runs `init` for every evaluation.
#[derive(Clone)]
pub struct Trial {
    instances: Arc<Instances>,
    description: Arc<Description>,
}

impl Trial {
    /// Compiles a component that is described thus.
    pub(super) fn new(bytes: &[u8], description: &Arc<Description>) -> Result<Trial, Failure> {
        let instances = Arc::new(instances(bytes)?);
        let mut living = instances.instance(Limits::default(), loading())?;
        check(&instances, &mut living, description)?;
        Ok(Trial {
            instances,
            description: Arc::clone(description),
        })
    }

    /// The policy with these settings.
    ///
    /// # Errors
    ///
    /// The faults of the settings, each with its place.
    pub fn program(
        &self,
        settings: &Map<String, Value>,
        limits: Limits,
    ) -> Result<Program, Failure> {
        let mutates = self.description.mutates(settings);
        let settings = text(settings);
        self.instances.start(&settings, limits, loading())?;
        Ok(Program {
            instances: Arc::clone(&self.instances),
            start: Start::Init,
            settings,
            limits,
            description: Arc::clone(&self.description),
            mutates,
            // What is tried out is not remembered.
            identity: None,
            sight: None,
        })
    }

    /// The faults that the component finds in settings, path and message, as
    /// it says them; empty if it takes them. For case files, which expect
    /// them; people read those of [`Trial::program`].
    ///
    /// # Errors
    ///
    /// Whatever kept it from answering, faults that cannot be read included.
    pub fn faults(&self, settings: &Map<String, Value>) -> Result<Vec<(String, String)>, Failure> {
        let settings = text(settings);
        let (_, answer) = self
            .instances
            .init(&settings, Limits::default(), loading())?;
        match answer {
            Ok(()) => Ok(vec![]),
            Err(answer) => faults(&answer).ok_or_else(|| settings_failure(&answer)),
        }
    }
}

/// What a component says of itself: for the build, which embeds it.
pub(super) fn describe(bytes: &[u8]) -> Result<Description, Failure> {
    let instances = instances(bytes)?;
    instances.describe(&mut instances.instance(Limits::default(), loading())?)
}

fn instances(bytes: &[u8]) -> Result<Instances, Failure> {
    let engine = scratch()?;
    let component = Component::new(engine.wasmtime(), bytes).map_err(not_ours)?;
    Instances::new(&engine, &component)
}
