//! Integration tests: one binary, since each one links wasmtime anew. They run
//! the real executable.
#![allow(clippy::unwrap_used, reason = "tests")]

/// The author's path: `portcullis policy new`, `test`, `build`, `inspect`, `trace`.
mod author;
/// A thousand secrets in objects, and none in any output.
mod canaries;
/// Policies' case files, through wasm.
mod cases;
/// `portcullis check`: inputs, outputs, exit codes.
mod check;
/// Compiled code, and the state that evaluations start from.
mod code;
/// The corpora, their truths, and what `check` finds in them.
mod corpora;
/// PolicyExemptions in files.
mod exemptions;
/// Every parser that meets the outside, on mutated inputs.
mod fuzz;
/// Guests that misbehave, and what the host makes of them.
mod guests;
/// Upstream's own readers, as a program.
mod judge;
/// Engines in every layout of memory, each forced.
mod layouts;
/// Thousands of objects in one document.
mod lists;
/// Changes: RFC 6902 against a second implementation, chains of policies.
mod mutation;
/// What holds of the project itself: dependencies, documents.
mod project;
/// Quantities against upstream's own reader.
mod quantity;
/// `portcullis webhook-config`: what is printed, and what is refused.
mod registration;
/// `check --output sarif` and `junit`: read back by a schema and a parser.
mod reports;
/// The 24 recorded AdmissionReviews.
mod reviews;
/// Secrets in files: where they are, what is shown, what to write instead.
mod secrets;
/// `portcullis serve`: a real client on loopback.
mod serve;
/// Finding the executable, scratch folders.
mod support;
/// `portcullis serve` in bad times: changes, overload, bad clients, restarts.
mod times;
/// Findings on the corpora against `truth.json`.
mod truth;
mod truth_configmaps;
/// Policies on literals of containers and on Secrets in files, on the corpora
/// against `truth.json`.
mod truth_literals;
/// What policies look up on the corpora, against `truth.json`.
mod truth_lookups;
/// Namespaces without a NetworkPolicy on the corpora, against `truth.json`.
mod truth_networks;
/// Policies on bindings, routes and namespaces on the corpora against `truth.json`.
mod truth_objects;
/// `probes` on the corpora against `truth.json`.
mod truth_probes;
/// The verdict cache.
mod verdicts;
/// The reader of manifests against kubectl.s own.
mod yaml;
