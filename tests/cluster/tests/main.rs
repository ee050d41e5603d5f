//! Portcullis in front of a real API server. They share one control plane;
//! each has a namespace, a server and a registration of its own.
#![allow(clippy::unwrap_used, reason = "tests")]

/// Requests as anybody.
mod asked;
/// Who is named in the audit log.
mod audit;
/// What was there before, on the day of the installation.
mod brownfield;
/// Values that must not come out.
#[path = "../../it/canaries/values.rs"]
mod canary;
/// Installed by Helm, by kubectl, by kustomize.
mod chart;
/// What comes up while nobody answers.
mod coldstart;
/// Three repositories of manifests.
mod corpora;
/// Objects that are changed.
mod defaults;
/// What happens while nobody answers.
mod down;
/// What is wrong with an installation, and whether it judges.
mod examined;
/// An installation that watches the policies of its cluster.
mod installed;
/// Every kind that holds a pod spec.
mod kinds;
/// The control plane itself: several at once, and their end.
mod lifetime;
/// Audits of what is there.
mod live;
/// Other webhooks.
mod meddling;
/// Secrets leave ConfigMaps.
mod moving;
/// What stands before the first pod of a namespace.
mod network;
/// Policies as resources of the cluster.
mod policies;
/// The proxy in front of the API server.
mod proxy;
/// Objects that were there before.
mod ratchet;
/// What is registered, and what is not.
mod registration;
/// Secrets that leave ConfigMaps.
mod relocation;
/// Ways out.
mod removal;
/// Finds values in what is said.
#[path = "../../it/canaries/search.rs"]
mod search;
/// The story of the README.
mod story;
/// What each test starts with.
mod support;
/// What people see.
mod words;
/// Who writes while things come and go.
mod writers;
/// What an installation writes: certificates and registrations.
mod writes;
