//! Whose a serving Secret is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Maps;
use super::form::HALVES;
use super::sites::sites;
use crate::names::{self, Half, RESERVED};

/// ConfigMaps by the names of their serving Secrets.
#[derive(Default)]
pub(super) struct Owners(BTreeMap<String, (String, Half)>);

impl Owners {
    /// Those that are known, and those that the pods refer to.
    pub(super) fn of(pods: [Option<&Value>; 2], maps: &Maps) -> Owners {
        let mut owners = Owners::default();
        maps.keys().for_each(|config_map| owners.add(config_map));
        for site in pods.into_iter().flatten().flat_map(sites) {
            site.config_maps()
                .for_each(|config_map| owners.add(config_map));
        }
        owners
    }

    fn add(&mut self, config_map: &str) {
        for half in HALVES {
            let name = names::serving(config_map, half);
            self.0.insert(name, (config_map.to_owned(), half));
        }
    }

    /// The ConfigMap and the half that a Secret of this name serves.
    pub(super) fn owner(&self, secret: &str) -> Option<(String, Half)> {
        let known = self.0.get(secret).cloned();
        known.or_else(|| owner_by_name(secret))
    }
}

/// The ConfigMap that a name says: names of long ConfigMaps do not.
fn owner_by_name(secret: &str) -> Option<(String, Half)> {
    let rest = secret.strip_prefix(RESERVED)?;
    let halves = [("t-", Half::Text), ("b-", Half::Binary)];
    halves.into_iter().find_map(|(mark, half)| {
        let config_map = rest.strip_prefix(mark)?;
        (names::serving(config_map, half) == secret).then(|| (config_map.to_owned(), half))
    })
}
