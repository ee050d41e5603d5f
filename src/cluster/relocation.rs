//! Secrets leave ConfigMaps: what the decisions of `portcullis_relocation` need
//! of the API server.
//!
//! Two processes with rights of their own. The one that answers admission
//! (`admission`) only ever creates Secrets, of random names, and reads
//! ConfigMaps and Relocations. The one that serves (`serving`, the command
//! `portcullis relocate`) reads and writes Secrets in enrolled namespaces, and
//! listens to nobody.

pub mod admission;
pub mod commands;
pub mod keys;
pub mod known;
pub mod pages;
pub mod reading;
pub mod resource;
pub mod serving;
pub mod told;

/// The label by which a namespace is enrolled.
pub const LABEL: &str = "portcullis.dev/secrets";
/// The one value that enrols it.
pub const MOVE: &str = "move";
