//! Where a pod may refer to ConfigMaps.

use serde_json::Value;

use super::form::{self, CONTAINERS, list};

/// One place.
pub(super) struct Site<'a> {
    /// Where, as a JSON pointer.
    pub(super) pointer: String,
    /// Where, in words and by names, which stay when indexes do not.
    pub(super) place: String,
    pub(super) form: Form<'a>,
}

/// What is there.
#[derive(Clone, Copy)]
pub(super) enum Form<'a> {
    /// An element of `env`.
    Env(&'a Value),
    /// An element of `envFrom`, and the list.
    EnvFrom(&'a [Value], usize),
    /// A volume.
    Volume(&'a Value),
}

/// All of them, in the order of the pod.
pub(super) fn sites(pod: &Value) -> Vec<Site<'_>> {
    let mut sites = vec![];
    for kind in CONTAINERS {
        for (index, container) in list(&pod["spec"][kind]).iter().enumerate() {
            let pointer = format!("/spec/{kind}/{index}");
            container_sites(container, &pointer, &mut sites);
        }
    }
    for (index, volume) in list(&pod["spec"]["volumes"]).iter().enumerate() {
        sites.push(Site {
            pointer: format!("/spec/volumes/{index}"),
            place: format!("volume {:?}", form::name(volume)),
            form: Form::Volume(volume),
        });
    }
    sites
}

fn container_sites<'a>(container: &'a Value, pointer: &str, sites: &mut Vec<Site<'a>>) {
    let name = form::name(container);
    for (index, entry) in list(&container["env"]).iter().enumerate() {
        sites.push(Site {
            pointer: format!("{pointer}/env/{index}"),
            place: format!("env {:?} of container {name:?}", form::name(entry)),
            form: Form::Env(entry),
        });
    }
    let entries = list(&container["envFrom"]);
    for index in 0..entries.len() {
        sites.push(Site {
            pointer: format!("{pointer}/envFrom/{index}"),
            place: format!("envFrom of container {name:?}"),
            form: Form::EnvFrom(entries, index),
        });
    }
}

impl<'a> Site<'a> {
    /// What is there.
    pub(super) fn value(&self) -> &'a Value {
        match self.form {
            Form::Env(value) | Form::Volume(value) => value,
            Form::EnvFrom(entries, index) => &entries[index],
        }
    }

    /// Whether a pointer leads below it.
    pub(super) fn holds(&self, pointer: &str) -> bool {
        let below = pointer.strip_prefix(&self.pointer);
        below.is_some_and(|below| below.starts_with('/'))
    }

    /// The ConfigMaps that are named here, as the author writes it.
    pub(super) fn config_maps(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (one, sources): (_, &[Value]) = match self.form {
            Form::Env(entry) => (&entry["valueFrom"]["configMapKeyRef"], &[]),
            Form::EnvFrom(entries, index) => (&entries[index]["configMapRef"], &[]),
            Form::Volume(volume) => (&volume["configMap"], list(&volume["projected"]["sources"])),
        };
        let sources = sources.iter().map(|source| &source["configMap"]);
        let names = std::iter::once(one).chain(sources).map(form::name);
        names.filter(|name| !name.is_empty())
    }
}
