//! `portcullis secrets moved`: whether a ConfigMap holds a placeholder. Asked
//! before an uninstallation, which would leave it to pods.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use portcullis_relocation::placeholder::Placeholder;
use portcullis_relocation::{ConfigMap as Contents, Content, Field};

use crate::cluster::relocation::pages;

/// ConfigMaps that are named one by one.
const SHOWN: usize = 20;

/// Which ConfigMaps hold placeholders and how to put their values back; whether
/// any does. It looks at the ConfigMaps themselves: when nothing of ours runs,
/// nobody else knows.
///
/// # Errors
///
/// Namespaces or ConfigMaps cannot be listed.
pub async fn moved(client: &Client, namespace: Option<&str>) -> Result<(String, bool)> {
    let found = placeholders(client, namespace).await?;
    Ok((said(&found, namespace), !found.is_empty()))
}

/// The placeholders of each ConfigMap (`NAMESPACE/NAME`) that holds any.
pub(super) async fn placeholders(
    client: &Client,
    namespace: Option<&str>,
) -> Result<BTreeMap<String, BTreeMap<Field, Placeholder>>> {
    let mut found = BTreeMap::new();
    let take = |namespace: &str, map: &ConfigMap| {
        let value = serde_json::to_value(map).map_err(|_| unreadable(namespace, map))?;
        let contents = Contents::new(&value).contents();
        let contents = contents
            .map_err(|_| unreadable(namespace, map))?
            .into_iter();
        let moved = contents.filter_map(|(field, content)| match content {
            Content::Placeholder(placeholder) => Some((field, placeholder)),
            _ => None,
        });
        let moved: BTreeMap<Field, Placeholder> = moved.collect();
        if !moved.is_empty() {
            found.insert(format!("{namespace}/{}", map.name_any()), moved);
        }
        Ok(())
    };
    each(client, namespace, take).await?;
    Ok(found)
}

/// The error of a parser may show what it read.
pub(super) fn unreadable(namespace: &str, map: &ConfigMap) -> String {
    format!("ConfigMap {namespace}/{} cannot be read", map.name_any())
}

/// Hands out all ConfigMaps of a namespace, or of all that stay, one namespace at a
/// time. In one that goes no pod starts any more.
pub(super) async fn each(
    client: &Client,
    namespace: Option<&str>,
    mut take: impl FnMut(&str, &ConfigMap) -> Result<(), String>,
) -> Result<()> {
    let namespaces = match namespace {
        Some(namespace) => vec![namespace.to_owned()],
        None => {
            let all: Api<Namespace> = Api::all(client.clone());
            let all = all.list_metadata(&ListParams::default()).await;
            let all = all.context("namespaces")?;
            let stay = all
                .iter()
                .filter(|one| one.metadata.deletion_timestamp.is_none());
            stay.map(ResourceExt::name_any).collect()
        }
    };
    for namespace in namespaces {
        let take = |map| take(&namespace, &map);
        let read = pages::config_maps(client, &namespace, take).await;
        read.map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

fn said(found: &BTreeMap<String, BTreeMap<Field, Placeholder>>, namespace: Option<&str>) -> String {
    if found.is_empty() {
        return "nothing is moved\n".to_owned();
    }
    let line = |(place, moved): (&String, &BTreeMap<Field, Placeholder>)| {
        let fields: Vec<String> = moved.keys().map(ToString::to_string).collect();
        format!("ConfigMap {place}: {} moved to a Secret", fields.join(", "))
    };
    let mut said = first_of(found.iter().map(line));
    let restore = namespace.unwrap_or("--all");
    let _ = writeln!(
        said,
        "without Portcullis new pods would be given placeholders; put the values back first: \
         portcullis secrets restore {restore}"
    );
    said
}

/// The first [`SHOWN`] lines about ConfigMaps, and how many there are more.
pub(super) fn first_of(lines: impl ExactSizeIterator<Item = String>) -> String {
    let more = lines.len().saturating_sub(SHOWN);
    let mut said = String::new();
    for line in lines.take(SHOWN) {
        said += &line;
        said.push('\n');
    }
    if more > 0 {
        let _ = writeln!(said, "and {more} ConfigMaps more");
    }
    said
}

#[cfg(test)]
mod tests {
    use portcullis_relocation::placeholder::{PREFIX, Told, read};

    use super::*;

    fn placeholder() -> Placeholder {
        let text = format!("{PREFIX}portcullis-moved-s-0000000000000001:{:076}", 0);
        match read(text.as_bytes()) {
            Told::Placeholder(placeholder) => placeholder,
            told => panic!("{told:?}"),
        }
    }

    #[test]
    fn a_person_is_told_what_is_moved_and_how_to_put_it_back() {
        assert_eq!(said(&BTreeMap::new(), None), "nothing is moved\n");
        let fields = || {
            let both = [Field::text("A"), Field::binary("b")];
            both.map(|field| (field, placeholder())).into()
        };
        let many = (0..SHOWN + 2).map(|n| (format!("shop/app-{n:02}"), fields()));
        let said = said(&many.collect(), None);
        assert_eq!(said.lines().count(), SHOWN + 2, "{said}");
        assert!(
            said.contains("ConfigMap shop/app-00: data.A, binaryData.b moved"),
            "{said}"
        );
        assert!(said.contains("\nand 2 ConfigMaps more\n"), "{said}");
        assert!(
            said.ends_with("portcullis secrets restore --all\n"),
            "{said}"
        );
    }
}
