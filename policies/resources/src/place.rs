//! Resources, with the place of each.

use portcullis_sdk::Place;
use portcullis_sdk::contract::pointer;
use portcullis_sdk::pod::{ContainerList, Pod};
use portcullis_sdk::quantity::Written;

use crate::request::{Resources, Side, Spec};

/// The resources of a container, or of a pod.
pub(crate) struct Placed<'r> {
    /// JSON Pointer to `resources`, be it there or not.
    pub(crate) at: String,
    /// The container's name; empty for a pod.
    name: &'r str,
    pub(crate) resources: Option<&'r Resources<'r>>,
    /// Those of the pod that a container is in.
    pub(crate) pod: Option<&'r Resources<'r>>,
    /// Whether it is an init container and no sidecar.
    pub(crate) is_init: bool,
}

impl<'r> Placed<'r> {
    /// The containers of a pod, in the order of the fields.
    pub(crate) fn containers(pod: &'r Pod<'r, Spec<'r>>) -> impl Iterator<Item = Placed<'r>> {
        let spec = &pod.spec;
        let lists = [
            (ContainerList::Init, &spec.init_containers),
            (ContainerList::Main, &spec.containers),
        ];
        lists.into_iter().flat_map(move |(list, containers)| {
            let placed = move |(index, container): (usize, &'r crate::request::Container<'r>)| {
                let list_at = format!("{}/spec/{}", &*pod.path, list.member());
                Placed {
                    at: format!("{list_at}/{index}/resources"),
                    name: &container.name,
                    resources: container.resources.as_ref(),
                    pod: spec.resources.as_ref(),
                    is_init: list == ContainerList::Init && !container.is_sidecar(),
                }
            };
            containers.iter().enumerate().map(placed)
        })
    }

    /// The pod's own.
    pub(crate) fn of_pod(pod: &'r Pod<'r, Spec<'r>>) -> Self {
        Placed {
            at: format!("{}/spec/resources", &*pod.path),
            name: "",
            resources: pod.spec.resources.as_ref(),
            pod: None,
            is_init: false,
        }
    }

    pub(crate) fn get(&self, side: Side, resource: &str) -> Option<&'r Written<'r>> {
        self.resources?.get(side, resource)
    }

    /// Every quantity that is written down, in the order of the fields.
    pub(crate) fn quantities(&self) -> impl Iterator<Item = (Side, &'r str, &'r Written<'r>)> {
        let resources = self.resources;
        Side::ALL.into_iter().flat_map(move |side| {
            let quantities = resources.and_then(|resources| resources.side(side));
            quantities
                .into_iter()
                .flatten()
                .map(move |(resource, written)| (side, &**resource, written))
        })
    }

    /// Where a finding on `resources` as a whole lies.
    pub(crate) fn place(&self) -> Place {
        let place = Place::at(&self.at);
        if self.name.is_empty() {
            return place;
        }
        place.in_container(self.name)
    }

    /// Where a finding on one quantity lies.
    pub(crate) fn place_of(&self, side: Side, resource: &str) -> Place {
        let at = pointer::join(&pointer::join(&self.at, side.member()), resource);
        match self.name {
            "" => Place::at(at),
            name => Place::at(at).in_container(name),
        }
    }
}
