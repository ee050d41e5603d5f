//! The pods of an enrolled namespace, from a watch: who uses which ConfigMap, and
//! what of it in a Secret.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::watcher::Event;
use portcullis_relocation::Field;
use portcullis_relocation::names::Half;
use portcullis_relocation::pod::Reader;

/// Pods by name.
type Pods = BTreeMap<String, Reader>;

/// All of a namespace.
#[derive(Default)]
pub(super) struct Readers {
    known: Option<Pods>,
    /// A list that is not complete yet.
    incoming: Pods,
}

/// Who uses one ConfigMap.
#[derive(Default)]
pub(super) struct Users {
    /// Names of pods.
    pub(super) names: BTreeSet<String>,
    /// Halves whose serving Secret one of them names.
    pub(super) named: BTreeSet<Half>,
    /// What they read there by name.
    pub(super) awaited: BTreeSet<Field>,
}

impl Readers {
    /// Whether the first list is complete.
    pub(super) fn are_known(&self) -> bool {
        self.known.is_some()
    }

    /// Takes an event; the ConfigMaps of which a pod now reads keys in a Secret
    /// that it did not read before.
    pub(super) fn take(&mut self, event: Event<Pod>) -> BTreeSet<String> {
        match event {
            Event::Init => self.incoming.clear(),
            Event::InitApply(pod) => {
                let (name, reader) = read(&pod);
                self.incoming.insert(name, reader);
            }
            Event::InitDone => {
                let known = self.known.insert(std::mem::take(&mut self.incoming));
                return known.values().flat_map(awaiting).collect();
            }
            Event::Apply(pod) => {
                let (name, reader) = read(&pod);
                let known = self.known.as_mut().unwrap_or(&mut self.incoming);
                if known.get(&name) != Some(&reader) {
                    let awaiting = awaiting(&reader).collect();
                    known.insert(name, reader);
                    return awaiting;
                }
            }
            Event::Delete(pod) => {
                if let Some(known) = &mut self.known {
                    known.remove(&pod.name_any());
                }
            }
        }
        BTreeSet::new()
    }

    /// Those of one ConfigMap.
    pub(super) fn of(&self, config_map: &str) -> Users {
        let mut users = Users::default();
        let pods = self.known.iter().flatten();
        for (name, reader) in pods.filter(|(_, reader)| reader.uses(config_map)) {
            users.names.insert(name.clone());
            users.named.extend(reader.named(config_map));
            users.awaited.extend(reader.awaited(config_map));
        }
        users
    }
}

/// Its name and what it reads. What cannot be written as JSON is no pod of an API
/// server, and reads nothing.
fn read(pod: &Pod) -> (String, Reader) {
    let value = serde_json::to_value(pod).unwrap_or_default();
    (pod.name_any(), Reader::of(&value))
}

fn awaiting(reader: &Reader) -> impl Iterator<Item = String> {
    let awaits = reader.awaits();
    let all = reader.config_maps().iter().filter(move |_| awaits);
    all.cloned().collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(key: &str) -> Pod {
        let secret = json!({"name": "portcullis-moved-t-app", "key": key});
        let env = json!([{"name": "V", "valueFrom": {"secretKeyRef": secret}}]);
        let spec = json!({"containers": [{"name": "a", "env": env}]});
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).expect("a pod")
    }

    #[test]
    fn a_pod_that_reads_something_new_is_told_once_and_forgotten_when_it_goes() {
        let mut readers = Readers::default();
        assert!(!readers.are_known());
        readers.take(Event::Init);
        assert_eq!(readers.take(Event::InitApply(pod("a"))), BTreeSet::new());
        let app = BTreeSet::from(["app".to_owned()]);
        assert_eq!(readers.take(Event::InitDone), app);
        assert_eq!(readers.take(Event::Apply(pod("a"))), BTreeSet::new());
        assert_eq!(readers.take(Event::Apply(pod("b"))), app);
        let users = readers.of("app");
        assert_eq!(users.awaited, [Field::text("b")].into());
        assert_eq!(users.named, [Half::Text].into());
        assert_eq!(users.names, ["p".to_owned()].into());
        readers.take(Event::Delete(pod("b")));
        assert!(readers.of("app").names.is_empty());
    }
}
