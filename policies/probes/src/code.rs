//! What the policy may report.

use portcullis_sdk::Codes;

/// What `probes` may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Codes)]
pub enum Code {
    /// The container has no readiness probe. It then counts as ready as soon
    /// as its process runs: a Service sends requests to it before it can
    /// answer, goes on sending them while it is overloaded, and a rollout
    /// stops the old replica before the new one works.
    #[code(error)]
    ProbeReadinessMissing,
    /// The container has no liveness probe. A process that hangs, in a
    /// deadlock for one, is then never restarted: only one that ends is.
    #[code(error)]
    ProbeLivenessMissing,
    /// The probe asks nothing: it has none of `exec`, `httpGet`, `tcpSocket`
    /// and `grpc`. The API server refuses such a probe in its own kinds; a
    /// custom resource takes it, and no Pod ever comes of it. An empty probe
    /// is reported as empty and not as missing too.
    #[code(warning)]
    ProbeEmpty,
    /// Liveness and readiness are the same probe, in what is asked and in
    /// every number. A slow answer then restarts the container instead of
    /// taking it out of rotation, and under load one restart brings the next.
    #[code(warning)]
    ProbesIdentical,
    /// The readiness or liveness probe asks more often than the setting
    /// `minPeriod` allows. Every probe costs the node and the container
    /// something, and `exec` starts a process each time.
    #[code(warning)]
    ProbePeriod,
}
