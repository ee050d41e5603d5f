//! Portcullis: policy-as-code admission for Kubernetes.
//!
//! ```text
//! bytes ──review::decode──▶ Request ──admit──▶ Decision ──review::encode──▶ bytes
//!                                     │
//!             policy set, projection, │ one fresh wasm instance a policy
//! ```
//!
//! `docs/architecture.md` has the picture and the rooms.

pub mod admit;
pub mod args;
pub mod author;
pub mod certs;
pub mod check;
pub mod cluster;
mod failpoint;
pub mod finding;
pub mod fix;
pub mod judge;
pub mod load;
pub mod network;
pub mod pack;
pub mod page;
pub mod policy;
pub mod progress;
pub mod registration;
pub mod replay;
pub mod review;
pub mod server;
pub mod source;
pub mod telemetry;
pub mod wasm;
pub mod webhook;
