//! What can be known of a component without running it.

use portcullis_contract::{DESCRIPTION_SECTION, Description};
use sha2::{Digest, Sha256};
use wasmparser::{Encoding, Parser, Payload};

use super::MAX_COMPONENT_BYTES;
use crate::policy::{Cause, Failure};

/// A component as it lies in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// `sha256:` and the hex digest of its bytes: the identity of its code.
    pub digest: String,
    /// What it imports, by name; a policy of the base world imports nothing.
    pub imports: Vec<String>,
    /// Its embedded description; None if it has none.
    pub description: Option<Description>,
}

/// Reads a component's imports and description.
///
/// # Errors
///
/// Bytes that are no component, and descriptions that are malformed or of
/// another interface.
pub fn inspect(bytes: &[u8]) -> Result<Inspected, Failure> {
    let program = |message: String| Failure::guest(Cause::Program, message);
    if bytes.len() > MAX_COMPONENT_BYTES {
        let (size, most) = (bytes.len(), MAX_COMPONENT_BYTES);
        return Err(program(format!(
            "the component has {size} bytes; at most {most} are loaded"
        )));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(program(
            "this is no WebAssembly: give the `.wasm` file of a policy".into(),
        ));
    }
    let mut inspected = Inspected {
        digest: digest(bytes),
        imports: vec![],
        description: None,
    };
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| {
            program(format!(
                "the component is malformed at byte {}",
                error.offset()
            ))
        })?;
        match payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                let message = "this is a core module, not a component: build it with \
                               `portcullis policy build`";
                return Err(program(message.into()));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports.into_iter().flatten() {
                    inspected.imports.push(import.name.name.to_owned());
                }
            }
            Payload::CustomSection(section)
                if depth == 0 && section.name() == DESCRIPTION_SECTION =>
            {
                if inspected.description.is_some() {
                    return Err(malformed("it has two descriptions"));
                }
                inspected.description = Some(description(section.data())?);
            }
            _ => {}
        }
    }
    Ok(inspected)
}

fn malformed(problem: &str) -> Failure {
    Failure::guest(Cause::Description, problem)
}

/// Reads a description, as embedded or as the guest tells it.
pub(super) fn description(json: &[u8]) -> Result<Description, Failure> {
    let description: Description = serde_json::from_slice(json)
        .map_err(|error| malformed(&format!("its description is malformed: {error}")))?;
    let known = portcullis_contract::INTERFACE;
    if !is_known(&description.interface) {
        return Err(malformed(&format!(
            "it was built for portcullis:policy@{}, this host knows {known}: \
             upgrade Portcullis, or build the policy with an older SDK",
            description.interface
        )));
    }
    Ok(description)
}

/// The evolution rule of `wit/policy.wit`: every patch version up to ours.
fn is_known(interface: &str) -> bool {
    let split = |version: &str| {
        let (line, patch) = version.rsplit_once('.')?;
        Some((line.to_owned(), patch.parse::<u32>().ok()?))
    };
    match (split(interface), split(portcullis_contract::INTERFACE)) {
        (Some((line, patch)), Some((our_line, our_patch))) => {
            line == our_line && patch <= our_patch
        }
        _ => false,
    }
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_version_up_to_ours_is_known() {
        for (interface, expected) in [
            ("0.1.0", true),
            ("0.1.1", false),
            ("0.2.0", false),
            ("1", false),
            ("", false),
        ] {
            assert_eq!(is_known(interface), expected, "{interface}");
        }
    }

    #[test]
    fn what_is_no_component_is_refused_with_the_remedy() {
        let message = |bytes: &[u8]| inspect(bytes).expect_err("refused").message;
        assert!(message(b"hello").contains("no WebAssembly"));
        assert!(message(b"\0asm\x01\0\0\0").contains("core module"));
        assert!(message(&vec![0; MAX_COMPONENT_BYTES + 1]).contains("at most"));
    }
}
