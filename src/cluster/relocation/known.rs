//! What is known of a ConfigMap by itself and its Relocation, without a look at
//! any Secret.

use std::collections::BTreeSet;

use portcullis_relocation::pod::Known;
use portcullis_relocation::{ConfigMap, Content, Field, names, promotion};
use serde_json::Value;

use super::resource::Status;
use crate::registration::never::ROOT_CA;

/// Whether nothing is ever moved out of the ConfigMap of this name.
pub fn is_left_alone(name: &str) -> bool {
    name == ROOT_CA
}

/// What pods can read of a ConfigMap, and whether all of that is served.
pub fn known(config_map: Option<&Value>, status: &Status) -> (Known, bool) {
    let Some(object) = config_map else {
        return (Known::default(), true);
    };
    let served = status.fields();
    let mut known = Known {
        exists: true,
        ..Known::default()
    };
    // The API server lets no other ConfigMap through.
    for (field, content) in ConfigMap::new(object).contents().unwrap_or_default() {
        let has_moved = matches!(content, Content::Placeholder(_)) || served.contains(&field);
        known.keys.insert(field.key.clone());
        if has_moved {
            half(&mut known, &field).insert(field.key);
        }
    }
    let waits = promotion::is_relocated(object) || !status.served.is_empty();
    let is_served = !waits || promotion::is_promoted(object, &status.served, &served);
    (known, is_served)
}

fn half<'k>(known: &'k mut Known, field: &Field) -> &'k mut BTreeSet<String> {
    match field.half {
        names::Half::Text => &mut known.text,
        names::Half::Binary => &mut known.binary,
    }
}
