//! What is found only where nothing among the files makes up for it.

use super::judge::Given;
use super::world::{World, text};
use crate::finding::Finding;
use crate::policy::effect::hanging::Lacking;
use crate::policy::kinds::{self, group_version};

/// What Calico's users write, and what its datastore in Kubernetes, which
/// policies name, has it as (Calico: "Kubernetes API datastore").
const CALICO: [&str; 2] = ["projectcalico.org", "crd.projectcalico.org"];

/// The findings that count among these objects, each with the object that would
/// mend it.
pub(super) fn settle(
    mut lacking: Vec<(Finding, Lacking)>,
    objects: &[Given],
    world: &World,
) -> Vec<Finding> {
    if lacking.is_empty() {
        return vec![];
    }
    for given in objects {
        let value = &given.object.value;
        let kind = text(value, "/kind");
        let group = match group_version(text(value, "/apiVersion")).0 {
            group if group == CALICO[0] => CALICO[1],
            group => group,
        };
        let resource = kinds::resource(group, kind);
        let namespace = match text(value, "/metadata/namespace") {
            _ if !resource.namespaced || world.is_cluster_scoped(group, kind) => "",
            "" => "default",
            namespace => namespace,
        };
        for (_, one) in &mut lacking {
            one.see((group, &resource.plural), namespace, value);
        }
    }
    lacking.retain(|(_, one)| one.counts());
    let found = lacking.into_iter().map(|(finding, one)| Finding {
        creates: one.creates(),
        ..finding
    });
    found.collect()
}
