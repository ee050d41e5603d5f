//! Where and of what something is told.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// An object that was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Where it is.
    pub place: Place,
    /// What it is.
    pub object: Identity,
}

/// Where a document is.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as it was given; `-` for standard input, null in an audit of
    /// a cluster.
    pub file: Option<String>,
    /// Index of the document in the file, from 0.
    pub document: usize,
    /// Index in a List, from 0.
    pub item: Option<usize>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl Serialize for Place {
    /// All null in an audit of a cluster: an object there stands nowhere.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_known = self.file.is_some();
        let mut members = serializer.serialize_struct("Place", 5)?;
        members.serialize_field("file", &self.file)?;
        members.serialize_field("document", &is_known.then_some(self.document))?;
        members.serialize_field("item", &self.item)?;
        members.serialize_field("line", &is_known.then_some(self.line))?;
        members.serialize_field("column", &is_known.then_some(self.column))?;
        members.end()
    }
}

/// What an object is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// As written.
    pub api_version: String,
    /// As written.
    pub kind: String,
    /// As written, null if unset; matching uses `default`.
    pub namespace: Option<String>,
    /// As written; the prefix of a generated name.
    pub name: String,
}

impl std::fmt::Display for Identity {
    /// `Deployment shop/web`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

impl Identity {
    /// `Deployment/shop/web`, for views that want one word.
    pub fn path(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{}/{namespace}/{}", self.kind, self.name),
            None => format!("{}/{}", self.kind, self.name),
        }
    }
}

/// A line of source, with what to point at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, without its end, and without what must not be shown.
    pub text: String,
    /// Where in it the finding starts, from 1, in characters.
    pub column: u32,
    /// How many characters of it are meant.
    pub marked: u32,
    /// How many characters of the file are meant, from the finding's column.
    pub width: u32,
}
