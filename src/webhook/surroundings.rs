//! What a cluster adds to a webhook; offline there is none of it.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::policy::Others;
use crate::review::Request;
use crate::server::Health;

/// What is around a webhook. Implemented by `cluster`, and by tests.
pub trait Surroundings: Send + Sync + 'static {
    /// Whether the policies of the cluster are known: before that nothing may
    /// be judged, since no policy would object.
    fn is_ready(&self) -> bool;

    /// The Namespace of this name with all its labels, at the latest at
    /// `until`. None if the cluster did not tell.
    fn namespace<'a>(&'a self, name: &'a str, until: Instant) -> BoxFuture<'a, Option<Arc<Value>>>;

    /// The objects that policies may look up; None if there are none to see.
    fn others(&self) -> Option<&Arc<dyn Others>> {
        None
    }

    /// Tries out the policy, or the exemption, of a request that creates or
    /// changes one.
    fn vet(&self, request: Request, until: Instant) -> BoxFuture<'_, Vetted>;

    /// Further lines of health.
    fn health(&self) -> Vec<Health>;
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
