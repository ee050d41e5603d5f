//! What a policy looks up, for people.

use portcullis_contract::Lookup;

use super::or_none;
use crate::policy::lookup::LookupGrant;

/// What is seen of other objects, and what that needs.
pub(super) fn rows(lookups: &[Lookup]) -> Vec<(&'static str, String)> {
    if lookups.is_empty() {
        return vec![];
    }
    let seen = |lookup: &Lookup| {
        let reads = lookup.reads.iter();
        let reads = reads.map(|read| read.trim_start_matches("object.").to_owned());
        let reads: Vec<String> = reads.collect();
        let optional = if lookup.optional { ", if granted" } else { "" };
        let reads = or_none(&reads, "whether it is there");
        format!("{}{optional} ({reads})", lookup.name())
    };
    let grants: Vec<String> = lookups.iter().map(LookupGrant::text).collect();
    let names: Vec<String> = lookups.iter().map(Lookup::name).collect();
    vec![
        (
            "looks up",
            lookups.iter().map(seen).collect::<Vec<_>>().join("; "),
        ),
        ("grants", format!("spec.lookups: [{}]", grants.join(", "))),
        (
            "rights",
            format!(
                "in a cluster, `list` and `watch` for Portcullis on {}",
                names.join(", ")
            ),
        ),
    ]
}
