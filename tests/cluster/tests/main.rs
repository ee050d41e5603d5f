//! Portcullis in front of a real API server. They share one control plane;
//! each has a namespace, a server and a registration of its own.
#![allow(clippy::unwrap_used, reason = "tests")]

/// Who is named in the audit log.
mod audit;
/// Objects that are changed.
mod defaults;
/// What happens while nobody answers.
mod down;
/// The control plane itself: several at once, and their end.
mod lifetime;
/// Objects that were there before.
mod ratchet;
/// What is registered, and what is not.
mod registration;
/// The story of the README.
mod story;
/// What each test starts with.
mod support;
/// What an installation writes: certificates and registrations.
mod writes;
