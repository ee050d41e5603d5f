use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::config_map::Malformed;
use crate::marks;
use crate::sensitive::Sensitive;

/// A Secret as it was read from the API server. Its `Debug` tells no value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// What it was read at.
    pub resource_version: String,
    /// Whether it bears the label of Secrets that relocation wrote.
    pub ours: bool,
    /// The uid of the ConfigMap that owns it.
    pub owner: Option<String>,
    /// [`marks::MADE_FROM`], as it stands there.
    pub made_from: Option<String>,
    /// [`marks::STATE`], as it stands there.
    pub state: Option<String>,
    /// Keys and values.
    pub data: BTreeMap<String, Sensitive>,
}

impl Held {
    /// From the object.
    ///
    /// # Errors
    ///
    /// No Secret as the API server writes one.
    pub fn read(secret: &Value) -> Result<Self, Malformed> {
        let metadata = &secret["metadata"];
        let text = |member: &str| {
            let text = metadata[member].as_str().map(str::to_owned);
            text.ok_or_else(|| Malformed(format!("metadata.{member}"), "Secret"))
        };
        Ok(Self {
            name: text("name")?,
            uid: text("uid")?,
            resource_version: text("resourceVersion")?,
            ours: metadata["labels"][marks::ROLE].is_string(),
            owner: owner(metadata),
            made_from: annotation(metadata, marks::MADE_FROM),
            state: annotation(metadata, marks::STATE),
            data: data(secret)?,
        })
    }

    /// The placeholder that each value was taken by, where one was.
    pub(crate) fn placeholders(&self) -> BTreeMap<String, Option<String>> {
        let told = self.made_from.as_deref().unwrap_or("{}");
        serde_json::from_str(told).unwrap_or_default()
    }
}

fn annotation(metadata: &Value, name: &str) -> Option<String> {
    let text = metadata["annotations"][name].as_str();
    text.map(str::to_owned)
}

fn owner(metadata: &Value) -> Option<String> {
    let owner = metadata["ownerReferences"].as_array()?.first()?;
    owner["uid"].as_str().map(str::to_owned)
}

fn data(secret: &Value) -> Result<BTreeMap<String, Sensitive>, Malformed> {
    let mut data = BTreeMap::new();
    for (key, value) in secret["data"].as_object().into_iter().flatten() {
        let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.ok_or_else(|| Malformed(format!("data.{key}"), "Secret"))?;
        data.insert(key.clone(), Sensitive::new(bytes));
    }
    Ok(data)
}
