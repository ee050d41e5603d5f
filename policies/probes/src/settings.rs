//! The settings.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_sdk::image::{self, Image};
use portcullis_sdk::{Fault, Settings as Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings of `probes`; all of them may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Which probes are required, by kind; a kind that is left out keeps its
    /// default, and `[]` requires none. Known are `Deployment`, `StatefulSet`,
    /// `ReplicaSet`, `ReplicationController`, `DaemonSet`, `Pod` and `Rollout`.
    pub required: BTreeMap<String, BTreeSet<Role>>,
    /// Judges sidecars too: init containers with `restartPolicy: Always`.
    pub sidecars: bool,
    /// Images whose containers are not judged at all. An entry is a registry
    /// (`registry.lan:5000`) or the beginning of a repository up to a `/`
    /// (`ghcr.io/my-org`); without a registry it is read as an image is:
    /// `nginx` means `docker.io/library/nginx`.
    pub exempt_images: Vec<String>,
    /// The fewest seconds there may be between two readiness or two liveness
    /// probes; absent, any period will do.
    pub min_period: Option<i32>,
}

/// What a probe is for, where one can be required.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Whether the container gets traffic.
    Readiness,
    /// Whether the container is restarted.
    Liveness,
}

const BOTH: &[Role] = &[Role::Readiness, Role::Liveness];

/// The kinds that are judged, and what is required of each. The Pods of a
/// DaemonSet are most often agents that no Service sends anything to.
const KINDS: [(&str, &[Role]); 7] = [
    ("DaemonSet", &[Role::Liveness]),
    ("Deployment", BOTH),
    ("Pod", BOTH),
    ("ReplicaSet", BOTH),
    ("ReplicationController", BOTH),
    ("Rollout", BOTH),
    ("StatefulSet", BOTH),
];

impl Default for Settings {
    fn default() -> Self {
        let required = KINDS.iter().map(|(kind, roles)| {
            let roles = roles.iter().copied().collect();
            ((*kind).to_owned(), roles)
        });
        Settings {
            required: required.collect(),
            sidecars: false,
            exempt_images: Vec::new(),
            min_period: None,
        }
    }
}

impl Settings {
    /// Whether Pods of this kind run until they are stopped.
    pub(crate) fn knows(kind: &str) -> bool {
        KINDS.iter().any(|(known, _)| *known == kind)
    }

    /// Whether a container of this kind needs a probe of this role.
    pub(crate) fn requires(&self, kind: &str, role: Role) -> bool {
        if let Some(roles) = self.required.get(kind) {
            return roles.contains(&role);
        }
        KINDS
            .iter()
            .any(|(known, roles)| *known == kind && roles.contains(&role))
    }

    /// Whether containers of this image are not judged. An image that is
    /// filled in later has no repository yet, and is judged.
    pub(crate) fn exempts(&self, image: &str) -> bool {
        match image::read(image) {
            Image::Whole(image) => self
                .exempt_images
                .iter()
                .any(|entry| image::covers(entry, &image)),
            _ => false,
        }
    }
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let kinds = self.required.keys().filter(|kind| !Settings::knows(kind));
        let kinds = kinds.map(|kind| {
            let known = KINDS.map(|(known, _)| known).join("`, `");
            let place = portcullis_sdk::contract::pointer::join("/required", kind);
            Fault::new(
                place,
                format!("`{kind}` is no kind that is judged: write one of `{known}`"),
            )
        });
        let images = self.exempt_images.iter().enumerate();
        let images = images.filter_map(|(index, entry)| {
            let problem = image::entry_fault(entry)?;
            Some(Fault::new(format!("/exemptImages/{index}"), problem))
        });
        let period = self.min_period.filter(|seconds| *seconds < 1);
        let period = period.map(|seconds| {
            let problem = format!(
                "`{seconds}` is no period: write seconds, 1 or more, or leave `minPeriod` out"
            );
            Fault::new("/minPeriod", problem)
        });
        kinds.chain(images).chain(period).collect()
    }
}
