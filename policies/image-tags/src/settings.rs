//! The settings.

use portcullis_sdk::image::{self, Reference};
use portcullis_sdk::{Fault, Settings as Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Code;

/// The settings of `image-tags`; all of them may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Registries and repositories that images may come from; empty allows
    /// any. An entry is a registry (`ghcr.io`, `registry.lan:5000`) or the
    /// beginning of a repository up to a `/` (`ghcr.io/my-org`,
    /// `docker.io/grafana`). Without a registry it is read as an image is:
    /// `nginx` means `docker.io/library/nginx`, `grafana/loki` means
    /// `docker.io/grafana/loki`.
    pub allow_registries: Vec<String>,
    /// Further words that mark a moving tag, alone or as a part between `-`,
    /// `.` and `_`; upper and lower case are the same: `lts`, `rolling`.
    pub floating_words: Vec<String>,
    /// Demands a digest (`@sha256:...`) of every image.
    pub require_digest: bool,
    /// How much of a version a tag made of numbers has to name.
    pub precision: Precision,
    /// Images that are not judged at all, in the form of `allowRegistries`.
    pub ignore_images: Vec<String>,
}

/// How much of a version is demanded.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// `16` will do.
    Major,
    /// `16.4` will do.
    Minor,
    /// `16.4.1`, or whatever is more than two numbers.
    #[default]
    Patch,
}

impl Settings {
    /// Whether a tag of this kind is precise enough.
    pub(crate) fn accepts(&self, code: &Code) -> bool {
        match code {
            Code::ImageMajorOnly => self.precision <= Precision::Major,
            Code::ImageMinorOnly => self.precision <= Precision::Minor,
            _ => false,
        }
    }

    pub(crate) fn ignores(&self, image: &Reference<'_>) -> bool {
        self.ignore_images
            .iter()
            .any(|entry| image::covers(entry, image))
    }

    pub(crate) fn allows(&self, image: &Reference<'_>) -> bool {
        let entries = &self.allow_registries;
        entries.is_empty() || entries.iter().any(|entry| image::covers(entry, image))
    }
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let repositories = |member: &'static str, entries: &[String]| {
            let check = move |(index, entry): (usize, &String)| {
                Some(Fault::new(
                    format!("/{member}/{index}"),
                    image::entry_fault(entry)?,
                ))
            };
            entries
                .iter()
                .enumerate()
                .filter_map(check)
                .collect::<Vec<_>>()
        };
        let words = self.floating_words.iter().enumerate();
        let words = words
            .filter(|(_, word)| !image::is_tag(word))
            .map(|(index, word)| {
                let message =
                    format!("`{word}` can be no part of a tag: write a word such as `lts`");
                Fault::new(format!("/floatingWords/{index}"), message)
            });
        let mut faults = repositories("allowRegistries", &self.allow_registries);
        faults.extend(words);
        faults.extend(repositories("ignoreImages", &self.ignore_images));
        faults
    }
}
