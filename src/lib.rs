//! Portcullis: policy-as-code admission for Kubernetes.

pub mod admit;
pub mod policy;
pub mod review;
pub mod wasm;
