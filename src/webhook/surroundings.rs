//! What a cluster adds to a webhook; offline there is none of it.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use portcullis_contract::{PatchOperation, Permission};
use serde_json::Value;

use crate::policy::effect::hanging::Closing;
use crate::policy::{Others, Wanted};
use crate::review::Request;
use crate::server::{Half, Health};

/// Why nothing is done where there is nobody to do it.
pub(super) const NO_CLUSTER: &str = "Portcullis runs without a cluster: `serve --cluster`";

/// What is around a webhook. Implemented by `cluster`, and by tests.
pub trait Surroundings: Send + Sync + 'static {
    /// Whether the policies of the cluster are known: before that nothing may
    /// be judged, since no policy would object.
    fn is_ready(&self) -> bool;

    /// The Namespace of this name with all its labels, at the latest at
    /// `until`. None if the cluster did not tell.
    fn namespace<'a>(&'a self, name: &'a str, until: Instant) -> BoxFuture<'a, Option<Arc<Value>>>;

    /// The same, and never as it was before: the cluster is asked.
    fn namespace_now<'a>(
        &'a self,
        name: &'a str,
        until: Instant,
    ) -> BoxFuture<'a, Option<Arc<Value>>> {
        self.namespace(name, until)
    }

    /// The objects that policies may look up; None if there are none to see.
    fn others(&self) -> Option<&Arc<dyn Others>> {
        None
    }

    /// Has this object exist as a policy wants it, at the latest at `until`. In
    /// the error, why it does not.
    fn ensure<'a>(
        &'a self,
        _wanted: &'a Wanted,
        _until: Instant,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async { Err(NO_CLUSTER.to_owned()) })
    }

    /// Whether the user of this request may do this. In the error, why nobody
    /// knows.
    fn may<'a>(
        &'a self,
        _request: &'a Request,
        _permission: &'a Permission,
        _until: Instant,
    ) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async { Err(NO_CLUSTER.to_owned()) })
    }

    /// Does what a relocation needs for this request, at the latest at `until`:
    /// `found` are the entries of its ConfigMap that policies want moved. In
    /// the error, why nobody knows.
    fn relocate<'a>(
        &'a self,
        _request: &'a Request,
        _half: Half,
        _found: &'a [Entry],
        _until: Instant,
    ) -> BoxFuture<'a, Result<Relocated, String>> {
        Box::pin(async { Err(NO_CLUSTER.to_owned()) })
    }

    /// What the API server calls in a namespace and would be kept from, in words.
    /// In the error, why nobody knows.
    fn closed_by<'a>(
        &'a self,
        _closing: &'a Closing,
        _until: Instant,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async { Ok(vec![]) })
    }

    /// Tries out the policy, or the exemption, of a request that creates or
    /// changes one.
    fn vet(&self, request: Request, until: Instant) -> BoxFuture<'_, Vetted>;

    /// Further lines of health.
    fn health(&self) -> Vec<Health>;
}

/// An entry of a ConfigMap that policies want moved, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Whether it is one of `binaryData`.
    pub binary: bool,
    /// Its key.
    pub key: String,
    /// What the first policy that found it said, without values.
    pub why: String,
}

/// What came of a relocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Relocated {
    /// The request is refused, and why, one line.
    Denied(String),
    /// The request passes, changed by `patch`; no value stands in it.
    Allowed {
        /// May be empty.
        patch: Vec<PatchOperation>,
        /// What the user is told.
        warnings: Vec<String>,
    },
}

/// What came of trying out a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vetted {
    /// It loads, or nothing of it changes.
    Good,
    /// It could not be tried, and why; a controller will.
    Untried(String),
    /// It does not load, and why.
    Bad(String),
}
