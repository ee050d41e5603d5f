//! What is found, by its place in the text.

use std::ops::Range;

use crate::place::Places;
use crate::{Confidence, Found, Kind};

/// Something found, by its place in the text.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) range: Range<usize>,
    pub(crate) kind: Kind,
    pub(crate) confidence: Confidence,
    pub(crate) name: Option<Range<usize>>,
}

impl Hit {
    fn merge(&mut self, other: Hit) {
        let is_known = |kind: &Kind| {
            matches!(
                kind,
                Kind::Format(_) | Kind::Own(_) | Kind::PrivateKey | Kind::UrlCredentials
            )
        };
        let is_surer = other.confidence > self.confidence;
        if is_known(&other.kind) && !is_known(&self.kind)
            || is_surer && is_known(&self.kind) == is_known(&other.kind)
        {
            self.kind = other.kind;
        }
        let is_open = !self.kind.is_half_public();
        self.confidence = match is_open {
            true => self.confidence.max(other.confidence),
            false => Confidence::Medium,
        };
        self.name = self.name.take().or(other.name);
        self.range.end = self.range.end.max(other.range.end);
    }
}

/// Findings in the order of the text; of those that meet, the surest.
pub(crate) fn resolve(mut hits: Vec<Hit>, text: &str) -> Vec<Found> {
    hits.sort_by_key(|hit| (hit.range.start, hit.range.end));
    let mut kept: Vec<Hit> = Vec::new();
    for hit in hits {
        match kept.last_mut() {
            Some(last) if hit.range.start < last.range.end => last.merge(hit),
            _ => kept.push(hit),
        }
    }
    let mut places = Places::new(text);
    let found = kept.into_iter().map(|hit| Found {
        at: Some(places.at(hit.range.start)),
        kind: hit.kind,
        confidence: hit.confidence,
        name: hit.name.map(|name| text[name].to_owned()),
    });
    found.collect()
}
