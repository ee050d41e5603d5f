//! What is read of a container, and where its literals are.

use portcullis_sdk::{List, Reads, Text};
use serde::Deserialize;

/// What is read of a container.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Container<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    pub(crate) env: List<Variable<'a>>,
    pub(crate) command: List<Text<'a>>,
    pub(crate) args: List<Text<'a>>,
    pub(crate) liveness_probe: Option<Handler<'a>>,
    pub(crate) readiness_probe: Option<Handler<'a>>,
    pub(crate) startup_probe: Option<Handler<'a>>,
    pub(crate) lifecycle: Option<Lifecycle<'a>>,
}

/// A name and its value: an environment variable, or a header.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct Variable<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    pub(crate) value: Text<'a>,
}

/// A probe, or what is done at the start or the end.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Handler<'a> {
    #[serde(borrow)]
    pub(crate) exec: Option<Exec<'a>>,
    pub(crate) http_get: Option<HttpGet<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct Exec<'a> {
    #[serde(borrow)]
    pub(crate) command: List<Text<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct HttpGet<'a> {
    #[serde(borrow)]
    pub(crate) http_headers: List<Variable<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Lifecycle<'a> {
    #[serde(borrow)]
    pub(crate) post_start: Option<Handler<'a>>,
    pub(crate) pre_stop: Option<Handler<'a>>,
}

impl<'a> Container<'a> {
    /// Its handlers, each with its place below the container.
    pub(crate) fn handlers(&self) -> impl Iterator<Item = (&'static str, &Handler<'a>)> {
        let lifecycle = self.lifecycle.as_ref();
        let handlers = [
            ("livenessProbe", self.liveness_probe.as_ref()),
            ("readinessProbe", self.readiness_probe.as_ref()),
            ("startupProbe", self.startup_probe.as_ref()),
            (
                "lifecycle/postStart",
                lifecycle.and_then(|of| of.post_start.as_ref()),
            ),
            (
                "lifecycle/preStop",
                lifecycle.and_then(|of| of.pre_stop.as_ref()),
            ),
        ];
        let there = |(place, handler): (&'static str, Option<_>)| Some((place, handler?));
        handlers.into_iter().filter_map(there)
    }
}
