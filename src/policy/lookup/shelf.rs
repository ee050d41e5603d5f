//! Objects in memory, reduced to what policies see of them.

use std::collections::BTreeMap;

use portcullis_contract::{LabelSelector, Lookup};
use serde_json::Value;

use super::{Column, MAX_ANSWER_BYTES, Others, Unseen, View};
use crate::policy::kinds;

/// All objects of one kind: of each its labels, and its text in each column.
#[derive(Debug, Default)]
pub struct Shelf {
    columns: Vec<Column>,
    /// By namespace (empty for what is in none) and name.
    objects: BTreeMap<String, BTreeMap<String, Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    /// A map of so few would take five times as much.
    labels: Box<[(Box<str>, Box<str>)]>,
    /// One a column.
    texts: Box<[Box<str>]>,
}

impl Shelf {
    /// An empty one, for these columns.
    pub fn new(columns: Vec<Column>) -> Shelf {
        Shelf {
            columns,
            objects: BTreeMap::new(),
        }
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Takes an object of the API server in place of one of the same name.
    /// Lists leave out what is the same for all of them; where values are is
    /// known by it.
    pub fn put(&mut self, lookup: &Lookup, mut object: Value) {
        object["apiVersion"] = lookup.api_version.as_str().into();
        object["kind"] = lookup.kind.as_str().into();
        let entry = self.entry(&object);
        let same = self.objects.entry(text(&object, NAMESPACE).to_owned());
        let same = same.or_default();
        same.insert(text(&object, NAME).to_owned(), vec![entry]);
    }

    /// Takes an object beside those of the same name: files may hold several,
    /// of which nobody knows which is applied.
    pub fn add(&mut self, namespace: &str, name: &str, object: &Value) {
        let entry = self.entry(object);
        let same = self.objects.entry(namespace.to_owned()).or_default();
        same.entry(name.to_owned()).or_default().push(entry);
    }

    /// Forgets an object. `namespace` is empty for what is in none.
    pub fn remove(&mut self, namespace: &str, name: &str) {
        if let Some(objects) = self.objects.get_mut(namespace) {
            objects.remove(name);
            if objects.is_empty() {
                self.objects.remove(namespace);
            }
        }
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The object of this name as the column shows it; of several the last.
    ///
    /// # Errors
    ///
    /// A column that this does not have.
    pub fn get(
        &self,
        column: &Column,
        namespace: &str,
        name: &str,
    ) -> Result<Option<&str>, Unseen> {
        let index = self.column(column)?;
        let found = self.objects.get(namespace).and_then(|all| all.get(name));
        let entry = found.and_then(|same| same.last());
        Ok(entry.map(|entry| &*entry.texts[index]))
    }

    /// A JSON array of the objects in a namespace, or of all.
    ///
    /// # Errors
    ///
    /// A column that this does not have; more than [`MAX_ANSWER_BYTES`].
    pub fn list(
        &self,
        column: &Column,
        namespace: Option<&str>,
        selector: Option<&LabelSelector>,
    ) -> Result<String, Unseen> {
        let index = self.column(column)?;
        let spaces = match namespace {
            Some(name) => self.objects.range(name.to_owned()..=name.to_owned()),
            None => self.objects.range::<String, _>(..),
        };
        let entries = spaces.flat_map(|(_, objects)| objects.values()).flatten();
        let mut list = String::from("[");
        for entry in entries {
            if !selector.is_none_or(|selector| selector.selects(&entry.labels())) {
                continue;
            }
            if list.len() > 1 {
                list.push(',');
            }
            list.push_str(&entry.texts[index]);
            if list.len() >= MAX_ANSWER_BYTES {
                return Err(Unseen::TooLong);
            }
        }
        list.push(']');
        Ok(list)
    }

    fn column(&self, column: &Column) -> Result<usize, Unseen> {
        let index = self.columns.iter().position(|known| known == column);
        index.ok_or_else(|| Unseen::Unknown("they are being listed anew for the policy".into()))
    }

    fn entry(&self, object: &Value) -> Entry {
        let labels = object
            .pointer("/metadata/labels")
            .and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        let project = |column: &Column| {
            let text = column.reads.project_object(object, column.redaction);
            text.into_boxed_str()
        };
        Entry {
            labels: labels
                .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())))
                .collect(),
            texts: self.columns.iter().map(project).collect(),
        }
    }
}

impl Entry {
    fn labels(&self) -> BTreeMap<String, String> {
        let labels = self.labels.iter();
        labels
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect()
    }
}

/// Objects that were all given at once, as files are.
#[derive(Debug, Default)]
pub struct Inventory {
    /// By group and kind; several resources never share one.
    shelves: BTreeMap<[String; 2], Result<Shelf, Unseen>>,
}

impl Inventory {
    /// With room for what these views show.
    pub fn new<'v>(views: impl IntoIterator<Item = &'v View>) -> Inventory {
        let mut shelves: BTreeMap<[String; 2], Shelf> = BTreeMap::new();
        for view in views {
            let shelf = shelves.entry(key(&view.lookup)).or_default();
            if !shelf.columns.contains(&view.column) {
                shelf.columns.push(view.column.clone());
            }
        }
        let shelves = shelves.into_iter().map(|(kind, shelf)| (kind, Ok(shelf)));
        Inventory {
            shelves: shelves.collect(),
        }
    }

    /// Where objects of a kind are put, if anybody looks them up.
    pub fn shelf_mut(&mut self, lookup: &Lookup) -> Option<&mut Shelf> {
        self.shelves.get_mut(&key(lookup))?.as_mut().ok()
    }

    /// The objects of a kind are not known after all.
    pub fn lose(&mut self, lookup: &Lookup, why: Unseen) {
        self.shelves.insert(key(lookup), Err(why));
    }

    /// Whether it has room for anything.
    pub fn is_empty(&self) -> bool {
        self.shelves.is_empty()
    }

    /// Takes an object, if anybody looks its kind up. One that is written
    /// without a namespace is in `default`, unless its kind is in none.
    pub fn add(&mut self, object: &Value, is_cluster_scoped: impl Fn(&str, &str) -> bool) {
        let (group, _) = kinds::group_version(text(object, "/apiVersion"));
        let kind = text(object, "/kind");
        let shelf = self.shelves.get_mut(&[group.to_owned(), kind.to_owned()]);
        let Some(Ok(shelf)) = shelf else {
            return;
        };
        let is_namespaced =
            kinds::resource(group, kind).namespaced && !is_cluster_scoped(group, kind);
        let namespace = match text(object, NAMESPACE) {
            _ if !is_namespaced => "",
            "" => "default",
            namespace => namespace,
        };
        shelf.add(namespace, text(object, NAME), object);
    }

    fn shelf(&self, view: &View) -> Result<&Shelf, Unseen> {
        match self.shelves.get(&key(&view.lookup)) {
            Some(Ok(shelf)) => Ok(shelf),
            Some(Err(why)) => Err(why.clone()),
            None => Err(Unseen::Unknown("nobody listed them".into())),
        }
    }
}

const NAMESPACE: &str = "/metadata/namespace";
const NAME: &str = "/metadata/name";

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    let text = object.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}

fn key(lookup: &Lookup) -> [String; 2] {
    [lookup.group().to_owned(), lookup.kind.clone()]
}

impl Others for Inventory {
    fn get(&self, view: &View, namespace: &str, name: &str) -> Result<Option<String>, Unseen> {
        let found = self.shelf(view)?.get(&view.column, namespace, name)?;
        Ok(found.map(str::to_owned))
    }

    fn list(
        &self,
        view: &View,
        namespace: Option<&str>,
        selector: Option<&LabelSelector>,
    ) -> Result<String, Unseen> {
        self.shelf(view)?.list(&view.column, namespace, selector)
    }
}
