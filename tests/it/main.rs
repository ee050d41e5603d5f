//! Integration tests: one binary, since each one links wasmtime anew. They run
//! the real executable.
#![allow(clippy::unwrap_used, reason = "tests")]

/// The author's path: `portcullis policy new`, `test`, `build`, `inspect`, `trace`.
mod author;
/// Policies' case files, through wasm.
mod cases;
/// `portcullis check`: inputs, outputs, exit codes.
mod check;
/// Guests that misbehave, and what the host makes of them.
mod guests;
/// Engines in every layout of memory, each forced.
mod layouts;
/// What holds of the project itself: dependencies, documents.
mod project;
/// The 24 recorded AdmissionReviews.
mod reviews;
/// `portcullis serve`: a real client on loopback.
mod serve;
/// Finding the executable, scratch folders.
mod support;
/// Findings on the corpora against `truth.json`.
mod truth;
/// The reader of manifests against kubectl.s own.
mod yaml;
