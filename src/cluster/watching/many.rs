//! Kinds of which there may be many large objects.

use futures_util::StreamExt;
use kube::api::ApiResource;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};

use super::Watching;

/// Objects that a list holds a page, where they come whole: each may take more
/// than a mebibyte, and kube's 500 would be held at once.
const PAGE: u32 = 50;

impl Watching<DynamicObject> {
    /// Of all objects of a kind, which may be many and large: no more than
    /// their metadata if that will do, else a few at a time.
    pub fn of_many(client: Client, resource: ApiResource, is_metadata: bool) -> Self {
        Watching::of(move || {
            let (client, config) = (client.clone(), watcher::Config::default());
            if is_metadata {
                let api: Api<PartialObjectMeta> = Api::all_with(client, &resource);
                let events = kube::runtime::watcher(api, config);
                return events.map(|event| event.map(bare)).boxed();
            }
            let api = Api::all_with(client, &resource);
            kube::runtime::watcher(api, config.page_size(PAGE)).boxed()
        })
    }
}

/// An event of an object of which there is nothing but the metadata.
fn bare(event: Event<PartialObjectMeta>) -> Event<DynamicObject> {
    let object = |one: PartialObjectMeta| DynamicObject {
        // That of the answer, PartialObjectMetadata, is not the object's.
        types: None,
        metadata: one.metadata,
        data: serde_json::json!({}),
    };
    match event {
        Event::Apply(one) => Event::Apply(object(one)),
        Event::Delete(one) => Event::Delete(object(one)),
        Event::Init => Event::Init,
        Event::InitApply(one) => Event::InitApply(object(one)),
        Event::InitDone => Event::InitDone,
    }
}
