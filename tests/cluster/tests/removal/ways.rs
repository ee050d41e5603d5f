//! The ways in which an installation is removed.

use portcullis_cluster::Installation;
use serde_json::Value;

use crate::policies::admin;

/// How somebody removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `kubectl delete -f` of the manifests.
    Manifests,
    /// `kubectl delete namespace`, and nothing else.
    Namespace,
    /// The ClusterRole that all hangs on, and nothing else.
    Anchor,
    /// The objects of the manifests one by one, in an order of this seed, as
    /// Flux and Helm do.
    Prune(u64),
    /// The same as Argo CD does it: what has an owner is not touched.
    Argo(u64),
}

impl Way {
    /// Argo CD marks what it keeps, before anything of it runs.
    pub(super) fn prepare(self, installation: &Installation<'_>) {
        if let Way::Argo(_) = self {
            let mark = "argocd.argoproj.io/tracking-id=portcullis:rbac/ClusterRole";
            let anchor = installation.anchor();
            let annotate = ["annotate", "clusterrole", &anchor, mark];
            admin(&annotate, "").ok().expect("marked");
        }
    }

    /// Removes it, without waiting for what follows.
    pub(super) fn remove(self, installation: &Installation<'_>) {
        let home = installation.home.name();
        match self {
            Way::Manifests => {
                let manifests = installation.manifests().expect("manifests");
                let delete = ["delete", "-f", "-"];
                admin(&delete, &manifests).ok().expect("deleted");
            }
            Way::Namespace => {
                let delete = ["delete", "namespace", home, "--wait=false"];
                admin(&delete, "").ok().expect("deleted");
            }
            Way::Anchor => {
                let delete = ["delete", "clusterrole", &installation.anchor()];
                admin(&delete, "").ok().expect("deleted");
            }
            Way::Prune(seed) => prune(installation, seed, |_| true),
            Way::Argo(seed) => {
                let has_no_owner = |object: &Value| object["metadata"]["ownerReferences"].is_null();
                prune(installation, seed, has_no_owner);
            }
        }
    }
}

/// Deletes what is to be deleted, one after another in an order of that seed.
fn prune(installation: &Installation<'_>, seed: u64, deletes: impl Fn(&Value) -> bool) {
    let manifests = installation.manifests().expect("manifests");
    let get = ["get", "-f", "-", "-o", "json"];
    let list = admin(&get, &manifests).ok().expect("they are there");
    let mut list: Value = serde_json::from_str(&list).expect("a list");
    let objects = list["items"].as_array_mut().expect("several");
    objects.retain(deletes);
    let mut state = seed;
    for last in (1..objects.len()).rev() {
        // The generator of Knuth's MMIX; its upper bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let index = (state >> 33) % (last as u64 + 1);
        objects.swap(last, usize::try_from(index).expect("small"));
    }
    let delete = ["delete", "--wait=false", "-f", "-"];
    admin(&delete, &list.to_string()).ok().expect("deleted");
}
