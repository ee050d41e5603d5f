use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::digest::{Keyring, Owner, Place, Write};
use crate::field::Field;
use crate::marks;
use crate::names::{Half, hex};
use crate::placeholder::{Placeholder, Told, read};
use crate::sensitive::Sensitive;

/// How many characters the API server adds to a `generateName`, out of which,
/// and how much of it stays (k8s.io/apiserver, pkg/storage/names/generate.go).
const GENERATED: usize = 5;
const ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";
const KEPT: usize = 63 - GENERATED;

/// The epoch of a half that nothing has moved out of.
pub(crate) const NEVER: &str = "0";

/// A ConfigMap as the API server writes it. No `Debug`: it holds values.
#[derive(Clone, Copy)]
pub struct ConfigMap<'a>(&'a Value);

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A value.
    Plain(Sensitive),
    /// A placeholder, well-formed.
    Placeholder(Placeholder),
    /// What begins as a placeholder and is none.
    Malformed(Sensitive),
}

/// The object is none that the API server would write: which member, of what kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} of the {1} cannot be read")]
pub struct Malformed(pub String, pub &'static str);

impl<'a> ConfigMap<'a> {
    /// The ConfigMap that this is.
    pub fn new(object: &'a Value) -> Self {
        Self(object)
    }

    /// All keys with what they hold.
    ///
    /// # Errors
    ///
    /// A half that is no map, a value that is no text or (in `binaryData`) no
    /// base64. The API server lets none of these through.
    pub fn contents(&self) -> Result<BTreeMap<Field, Content>, Malformed> {
        let mut contents = BTreeMap::new();
        for half in Half::ALL {
            let members = match &self.0[half.member()] {
                Value::Null => continue,
                Value::Object(members) => members,
                _ => return Err(Malformed(half.member().to_owned(), "ConfigMap")),
            };
            for (key, value) in members {
                let field = Field {
                    half,
                    key: key.clone(),
                };
                let Some(content) = content(half, value) else {
                    return Err(Malformed(field.to_string(), "ConfigMap"));
                };
                contents.insert(field, content);
            }
        }
        Ok(contents)
    }

    /// `metadata.name`, unless empty.
    pub fn name(&self) -> Option<&'a str> {
        self.metadata("name")
    }

    /// `metadata.generateName`, unless empty.
    pub fn generate_name(&self) -> Option<&'a str> {
        self.metadata("generateName")
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> Option<&'a str> {
        self.metadata("uid")
    }

    /// Whether `immutable` is set.
    pub fn is_immutable(&self) -> bool {
        self.0["immutable"] == Value::Bool(true)
    }

    /// `metadata.resourceVersion`.
    pub fn resource_version(&self) -> Option<&'a str> {
        self.metadata("resourceVersion")
    }

    /// The ConfigMap's placeholders of one half, as text. Empty where the ConfigMap
    /// cannot be read.
    pub(crate) fn placeholders(&self, half: Half) -> BTreeMap<Field, String> {
        let contents = self.contents().unwrap_or_default().into_iter();
        let texts = contents.filter_map(|(field, content)| match content {
            Content::Placeholder(placeholder) => Some((field, placeholder.to_string())),
            _ => None,
        });
        texts.filter(|(field, _)| field.half == half).collect()
    }

    /// The keys that are placeholders. None where the ConfigMap cannot be read.
    pub fn moved(&self) -> BTreeSet<Field> {
        let keys = Half::ALL.map(|half| self.placeholders(half).into_keys());
        keys.into_iter().flatten().collect()
    }

    /// What [`marks::MOVED`] says of one half: [`NEVER`] if nothing has moved.
    pub(crate) fn epoch(&self, half: Half) -> &'a str {
        let told = self.0["metadata"]["labels"][marks::MOVED].as_str();
        let (text, binary) = told
            .and_then(|told| told.split_once('_'))
            .unwrap_or((NEVER, NEVER));
        match half {
            Half::Text => text,
            Half::Binary => binary,
        }
    }

    /// What [`marks::MOVED`] has to say of one half, where this ConfigMap is to hold
    /// these placeholders in `old`'s stead. Deterministic, so that a dry run says it
    /// too; and as no version is replaced twice, never what it was before.
    pub(crate) fn next_epoch(
        old: Option<&ConfigMap<'_>>,
        half: Half,
        placeholders: &BTreeMap<Field, String>,
    ) -> String {
        let before = old.map(|old| old.placeholders(half)).unwrap_or_default();
        let epoch = old.map_or(NEVER, |old| old.epoch(half));
        let is_same = before == *placeholders && (before.is_empty() || epoch != NEVER);
        if is_same {
            return epoch.to_owned();
        }
        let replaced = old
            .and_then(ConfigMap::resource_version)
            .unwrap_or_default();
        hex(&digest(&SHA256, replaced.as_bytes()).as_ref()[..8])
    }

    fn metadata(&self, member: &str) -> Option<&'a str> {
        let text = self.0["metadata"][member].as_str()?;
        (!text.is_empty()).then_some(text)
    }

    /// By what names placeholders of this ConfigMap may have been sealed: its own,
    /// and its `generateName` if its name can have been made from that. Anybody
    /// may write a `generateName` beside a name; but the name must then look like
    /// a generated one, and the placeholder of another ConfigMap of that prefix
    /// is refused when it is written.
    pub fn owners(&self, name: Option<&'a str>) -> Vec<Owner<'a>> {
        let name = named(name).or_else(|| self.name());
        let prefix = self.generate_name();
        match (name, prefix) {
            (Some(name), Some(prefix)) if is_generated(name, prefix) => {
                vec![Owner::Named(name), Owner::Generated(prefix)]
            }
            (Some(name), _) => vec![Owner::Named(name)],
            (None, Some(prefix)) => vec![Owner::Generated(prefix)],
            (None, None) => vec![],
        }
    }
}

/// A request's name, unless empty.
pub(crate) fn named(name: Option<&str>) -> Option<&str> {
    name.filter(|name| !name.is_empty())
}

/// Whether it was issued for one of these owners in this request.
pub(crate) fn is_sealed(
    keyring: &Keyring,
    namespace: &str,
    owners: &[Owner<'_>],
    field: &Field,
    (placeholder, write): (&Placeholder, Write<'_>),
) -> bool {
    places(namespace, owners, field, placeholder)
        .any(|place| keyring.is_sealed(&place, &placeholder.digest, write))
}

/// Whether it is one of these owners' placeholders, for this value.
pub(crate) fn matches(
    keyring: &Keyring,
    namespace: &str,
    owners: &[Owner<'_>],
    field: &Field,
    (placeholder, value): (&Placeholder, &Sensitive),
) -> bool {
    places(namespace, owners, field, placeholder)
        .any(|place| keyring.matches(&place, &placeholder.digest, value.expose()))
}

fn places<'a>(
    namespace: &'a str,
    owners: &'a [Owner<'a>],
    field: &'a Field,
    placeholder: &'a Placeholder,
) -> impl Iterator<Item = Place<'a>> {
    owners.iter().map(move |owner| Place {
        namespace,
        owner: *owner,
        field,
        staged: &placeholder.secret,
    })
}

/// How a value of this half is written in JSON.
pub(crate) fn written(half: Half, value: &[u8]) -> String {
    match half {
        Half::Text => String::from_utf8_lossy(value).into_owned(),
        Half::Binary => STANDARD.encode(value),
    }
}

fn content(half: Half, value: &Value) -> Option<Content> {
    let text = value.as_str()?;
    let bytes = match half {
        Half::Text => text.as_bytes().to_vec(),
        Half::Binary => STANDARD.decode(text).ok()?,
    };
    Some(match read(&bytes) {
        Told::Plain => Content::Plain(Sensitive::new(bytes)),
        Told::Placeholder(placeholder) => Content::Placeholder(placeholder),
        Told::Malformed => Content::Malformed(Sensitive::new(bytes)),
    })
}

fn is_generated(name: &str, prefix: &str) -> bool {
    let kept: String = prefix.chars().take(KEPT).collect();
    name.strip_prefix(&kept).is_some_and(|rest| {
        rest.len() == GENERATED && rest.chars().all(|one| ALPHABET.contains(one))
    })
}
