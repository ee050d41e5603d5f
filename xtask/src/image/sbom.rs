//! The list of parts as SPDX 2.3, JSON (spdx.github.io/spdx-spec/v2.3).

use std::collections::BTreeSet;

use anyhow::Result;
use portcullis::policy::digest::Digest;
use serde_json::{Value, json};

use super::parts::Component;

const WHOLE: &str = "SPDXRef-image";

/// The document for the image `name`; the same parts give the same bytes.
pub(super) fn document(name: &str, components: &BTreeSet<Component>) -> Result<Vec<u8>> {
    let mut packages = vec![json!({
        "SPDXID": WHOLE,
        "name": name,
        "versionInfo": env!("CARGO_PKG_VERSION"),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseDeclared": env!("CARGO_PKG_LICENSE"),
    })];
    packages.extend(components.iter().zip(0..).map(package));
    let relationships = packages.iter().skip(1).map(|package| {
        json!({"spdxElementId": WHOLE, "relationshipType": "CONTAINS",
               "relatedSpdxElement": package["SPDXID"]})
    });
    let relationships: Vec<Value> = std::iter::once(json!({
        "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
        "relatedSpdxElement": WHOLE,
    }))
    .chain(relationships)
    .collect();
    let unique = Digest::of(serde_json::to_string(&packages)?.as_bytes());
    let document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace":
            format!("{}/spdx/{name}-{}", env!("CARGO_PKG_REPOSITORY"), unique.hex()),
        "creationInfo": {
            // A date of its own would make each build another.
            "created": "1970-01-01T00:00:00Z",
            "creators": ["Tool: cargo xtask image"],
        },
        "packages": packages,
        "relationships": relationships,
    });
    Ok(serde_json::to_vec_pretty(&document)?)
}

fn package((component, number): (&Component, usize)) -> Value {
    json!({
        "SPDXID": format!("SPDXRef-{number}"),
        "name": component.name,
        "versionInfo": component.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseDeclared": component.license.as_deref().unwrap_or("NOASSERTION"),
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": component.purl,
        }],
    })
}
