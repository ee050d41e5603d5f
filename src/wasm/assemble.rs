//! From a core module to a self-describing component.

use portcullis_contract::DESCRIPTION_SECTION;
use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::ComponentEncoder;

use super::inspect::inspect;
use super::program::refuse_imports;
use super::trial::describe;
use crate::policy::{Cause, Failure};

/// Encodes a guest's core module (as `rustc` made it for
/// wasm32-unknown-unknown) as a component, runs its `describe` once and embeds
/// the answer, so that tools read it without running guest code.
///
/// # Errors
///
/// A module that is no guest of the WIT world, and whatever makes it one that
/// the host would refuse to load.
pub fn assemble(module: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut component = encode(module)?;
    refuse_imports(&inspect(&component)?)?;
    let description = serde_json::to_vec(&describe(&component)?)
        .map_err(|error| Failure::host(Cause::Description, error.to_string()))?;
    let section = CustomSection {
        name: DESCRIPTION_SECTION.into(),
        data: description.into(),
    };
    section.append_to_component(&mut component);
    refuse_imports(&inspect(&component)?)?;
    Ok(component)
}

fn encode(module: &[u8]) -> Result<Vec<u8>, Failure> {
    let encode = || {
        ComponentEncoder::default()
            .module(module)?
            .validate(true)
            .encode()
    };
    encode().map_err(|error| {
        let message = format!("the module cannot be encoded as a component: {error:#}");
        Failure::guest(Cause::Program, message)
    })
}
