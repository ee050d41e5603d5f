//! What an installation has written, as an administrator finds it.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Installation, KINDS};
use crate::neighbours;

impl Installation<'_> {
    /// The replica that holds the Lease, if one does.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub fn leader(&self) -> Result<Option<String>> {
        let lease = self.get("lease/portcullis-leader")?;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        Ok(holder.split_once('_').map(|(name, _)| name.to_owned()))
    }

    /// An object of its namespace; null if it is not there.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub fn get(&self, object: &str) -> Result<Value> {
        let text = self.admin(&["get", object, "--ignore-not-found", "-o", "json"], "")?;
        match text.trim() {
            "" => Ok(Value::Null),
            text => Ok(serde_json::from_str(text)?),
        }
    }

    /// Its two configurations, validating and mutating; null where not there.
    ///
    /// # Errors
    ///
    /// The API server does not answer. They judge what other tests make.
    pub fn configurations(&self) -> Result<[Value; 2]> {
        let get = |kind: &str| {
            let live = self.get(&format!("{kind}/{}", self.name))?;
            neighbours::check(self.home.cluster, &live)?;
            Ok::<_, anyhow::Error>(live)
        };
        Ok([get(KINDS[0])?, get(KINDS[1])?])
    }

    /// What it remembers; null before it remembers anything.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub fn state(&self) -> Result<Value> {
        let map = self.get("configmap/portcullis-state")?;
        let text = map["data"]["state.json"].as_str();
        text.map_or(Ok(Value::Null), |text| Ok(serde_json::from_str(text)?))
    }
}

/// The failurePolicy of each entry of a configuration, by name.
pub fn failure_policies(configuration: &Value) -> Vec<(String, String)> {
    let entries = configuration["webhooks"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let policies = entries.map(|entry| (text(&entry["name"]), text(&entry["failurePolicy"])));
    policies.collect()
}

/// A merge patch that sets one member of the first entry, as JSON patch.
pub fn edit(member: &str, value: &Value) -> String {
    json!([{"op": "add", "path": format!("/webhooks/0/{member}"), "value": value}]).to_string()
}
