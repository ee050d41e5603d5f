//! What is known of all objects of one kind, as texts: a JSON tree takes
//! several times as much. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// Where it is; empty where it is in none.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// As JSON.
    pub(super) text: Box<str>,
}

/// What a list or a watch says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// A list begins.
    Begin,
    /// One of the list.
    Listed(Item),
    /// That was the list.
    Complete,
    /// One is there, or changed.
    Put(Item),
    /// The one of this namespace and name is gone.
    Gone(String, String),
}

type Texts = BTreeMap<String, BTreeMap<String, Box<str>>>;

/// All objects of a kind.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// None before the first list is complete.
    objects: Option<Texts>,
    incoming: Texts,
}

impl Shelf {
    /// Whether it is known what there is.
    pub(super) fn is_complete(&self) -> bool {
        self.objects.is_some()
    }

    /// Takes in what was said; gives the namespaces where something changed by
    /// it.
    pub(super) fn take(&mut self, said: Said) -> BTreeSet<String> {
        match said {
            Said::Begin => self.incoming.clear(),
            Said::Listed(item) => {
                put(&mut self.incoming, item);
            }
            Said::Complete => {
                let now = std::mem::take(&mut self.incoming);
                let before = self.objects.replace(now).unwrap_or_default();
                let now = self.objects.iter().flatten();
                let changed =
                    now.filter(|(namespace, there)| before.get(*namespace) != Some(there));
                let changed = changed.map(|(namespace, _)| namespace.clone()).collect();
                return self.and_gone(&before, changed);
            }
            Said::Put(item) => {
                let namespace = item.namespace.clone();
                let Some(objects) = &mut self.objects else {
                    return BTreeSet::new();
                };
                if put(objects, item) {
                    return [namespace].into();
                }
            }
            Said::Gone(namespace, name) => {
                let there = self
                    .objects
                    .as_mut()
                    .and_then(|all| all.get_mut(&namespace));
                if there.is_some_and(|there| there.remove(&name).is_some()) {
                    self.tidy(&namespace);
                    return [namespace].into();
                }
            }
        }
        BTreeSet::new()
    }

    /// These, and the namespaces in which there is nothing any more.
    fn and_gone(&self, before: &Texts, mut changed: BTreeSet<String>) -> BTreeSet<String> {
        let is_gone = |namespace: &&String| {
            let mut now = self.objects.iter();
            !now.any(|objects| objects.contains_key(*namespace))
        };
        changed.extend(before.keys().filter(is_gone).cloned());
        changed
    }

    fn tidy(&mut self, namespace: &str) {
        if let Some(objects) = &mut self.objects
            && objects.get(namespace).is_some_and(BTreeMap::is_empty)
        {
            objects.remove(namespace);
        }
    }

    /// The objects of a namespace; those that are in none, for the empty one.
    pub(super) fn of(&self, namespace: &str) -> impl Iterator<Item = Value> {
        let there = self.objects.as_ref().and_then(|all| all.get(namespace));
        let texts = there.into_iter().flat_map(BTreeMap::values);
        // What was written as JSON can be read as such.
        texts.map(|text| serde_json::from_str(text).unwrap_or_default())
    }

    /// Where there is anything.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &String> {
        self.objects.iter().flat_map(BTreeMap::keys)
    }
}

/// Whether it is another one than before.
fn put(objects: &mut Texts, item: Item) -> bool {
    let there = objects.entry(item.namespace).or_default();
    let before = there.get(&item.name);
    let is_new = before != Some(&item.text);
    if is_new {
        there.insert(item.name, item.text);
    }
    is_new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(namespace: &str, name: &str, version: u32) -> Item {
        Item {
            namespace: namespace.into(),
            name: name.into(),
            text: format!("{{\"version\":{version}}}").into(),
        }
    }

    fn listed(shelf: &mut Shelf, items: &[Item]) -> Vec<String> {
        shelf.take(Said::Begin);
        for item in items {
            assert!(shelf.take(Said::Listed(item.clone())).is_empty());
        }
        shelf.take(Said::Complete).into_iter().collect()
    }

    #[test]
    fn nothing_is_known_before_the_first_list_is_complete() {
        let mut shelf = Shelf::default();
        assert!(shelf.take(Said::Put(item("a", "x", 1))).is_empty());
        shelf.take(Said::Begin);
        shelf.take(Said::Listed(item("a", "x", 1)));
        assert!(!shelf.is_complete());
        assert_eq!(shelf.of("a").count(), 0);
        shelf.take(Said::Complete);
        assert!(shelf.is_complete());
        assert_eq!(shelf.of("a").next().expect("one")["version"], 1);
    }

    #[test]
    fn a_new_list_tells_what_changed_meanwhile() {
        let mut shelf = Shelf::default();
        let before = [item("a", "x", 1), item("b", "x", 1), item("c", "x", 1)];
        assert_eq!(listed(&mut shelf, &before), ["a", "b", "c"]);
        let after = [item("a", "x", 1), item("b", "x", 2), item("d", "x", 1)];
        assert_eq!(listed(&mut shelf, &after), ["b", "c", "d"]);
        assert_eq!(listed(&mut shelf, &after), [""; 0]);
        assert_eq!(shelf.of("c").count(), 0);
    }

    #[test]
    fn changes_tell_where() {
        let mut shelf = Shelf::default();
        listed(&mut shelf, &[item("a", "x", 1)]);
        let put = |shelf: &mut Shelf| shelf.take(Said::Put(item("a", "y", 1)));
        assert_eq!(put(&mut shelf), ["a".to_owned()].into());
        assert!(put(&mut shelf).is_empty(), "it is the same");
        let gone = |shelf: &mut Shelf, name: &str| shelf.take(Said::Gone("a".into(), name.into()));
        assert_eq!(gone(&mut shelf, "x"), ["a".to_owned()].into());
        assert!(gone(&mut shelf, "x").is_empty());
        gone(&mut shelf, "y");
        assert_eq!(shelf.namespaces().count(), 0);
    }
}
