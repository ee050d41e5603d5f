//! The cluster that Portcullis runs in: policies as resources, and what it
//! writes there.
//!
//! Knows: kube, and the objects of its own installation. Must not know: how a
//! policy is evaluated, HTTP servers. Everything that needs no connection (what
//! is to be written, given what is there) is a pure function of its own file;
//! the file that talks to the API server is small.

pub mod anchor;
pub mod audit;
pub mod certificates;
pub mod commands;
pub mod controller;
pub mod crd;
pub mod doctor;
pub mod earlier;
pub mod effects;
pub mod exemptions;
pub mod gather;
pub mod home;
pub mod kept;
pub mod lease;
pub mod link;
pub mod namespaces;
pub mod networks;
pub mod notices;
pub mod object;
pub mod others;
pub mod programs;
pub mod registrations;
pub mod relocation;
pub mod report;
pub mod reporter;
pub mod rounds;
pub mod run;
pub mod safety;
pub mod self_call;
pub mod smoke;
pub mod state;
pub mod status;
pub mod told;
pub mod vetting;
pub mod watching;
pub mod writes;

pub use home::{Home, connect, connect_to};
