//! What the policy may report.

use portcullis_sdk::Codes;

/// What `resources` may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Codes)]
pub enum Code {
    /// A container lacks a request or a limit that the setting `required`
    /// asks for. Without a request the scheduler counts it as nothing and
    /// packs nodes too full; without a memory limit one leak takes down its
    /// neighbours.
    #[code(error)]
    ResourcesMissing,
    /// A request or a limit of `cpu`, `memory` or `ephemeral-storage` is
    /// zero. A request of zero reserves nothing, and a limit of zero is taken
    /// by runtimes as no limit at all.
    #[code(error)]
    ResourcesZero,
    /// A value is no quantity, is negative, or is a fraction of a device that
    /// comes only in whole ones. The API server refuses such a pod.
    #[code(error)]
    ResourcesInvalid,
    /// A limit is lower than its request. The API server refuses such a pod,
    /// and with it every pod of the workload.
    #[code(error)]
    ResourcesLimitBelowRequest,
    /// Request and limit of an extended resource (`nvidia.com/gpu`) or of
    /// hugepages differ, or there is only a request. These cannot be
    /// overcommitted, and the API server refuses such a pod.
    #[code(error)]
    ResourcesUnequal,
    /// A request or a limit is below the setting `min`.
    #[code(error)]
    ResourcesBelowMinimum,
    /// A request or a limit is above the setting `max`.
    #[code(error)]
    ResourcesAboveMaximum,
    /// A limit is more times its request than the setting `limitRequestRatio`
    /// allows: what a container may take is too far from what was reserved
    /// for it.
    #[code(error)]
    ResourcesRatio,
}
