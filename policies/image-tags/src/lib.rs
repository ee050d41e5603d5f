//! Which version of an image runs is written down in the manifest.
//!
//! The page of the policy is [`ImageTags`]. `tag` says what a tag promises,
//! `advice` puts it into words.

use portcullis_sdk::contract::MatchConstraints;
use portcullis_sdk::image::{self, Image};
use portcullis_sdk::pod::{ContainerList, List, Pod};
use portcullis_sdk::{Page, Place, Policy, Reads, Report, Text};
use serde::Deserialize;

mod advice;
mod code;
mod settings;
mod tag;

use advice::Advice;
pub use code::Code;
pub use settings::{Precision, Settings};

/// ## What it does
///
/// Checks that every image of a workload names a version that stays what it
/// is. Without a digest, the tag `latest` or no tag at all is an error; tags
/// that follow a branch or a channel (`main`, `stable`, `alpine`) and
/// pre-releases (`rc1`, `nightly`) are warnings; tags of one or two numbers
/// (`16`, `7.4`) are noted. On request it demands digests, and registries
/// from a list. It looks at `containers`, `initContainers` (sidecars too),
/// `ephemeralContainers` and image volumes.
///
/// ## Why is this bad?
///
/// A node resolves a tag at the moment when it pulls. If the tag has moved
/// since, a restart, a drained node or a new replica brings another version:
/// untested, on one node only, and with no change in Git to revert. And where
/// a node has the tag already, `imagePullPolicy: IfNotPresent` keeps the old
/// image, so that an update never arrives.
///
/// ## What it does not judge
///
/// - An image with a digest passes whatever its tag: `nginx:latest@sha256:...`
///   is pinned.
/// - Tags with a digit that are no plain version, such as `16-alpine`,
///   `2026-08-21` or a commit, count as versions. A number alone, be it a
///   date or a build, counts as a major version.
/// - Images that something else fills in (`${TAG}`, `{{ .Values.tag }}`,
///   Istio's `auto`, `ko://`, an empty image of a patch) are reported as
///   unresolved, which neither denies nor warns. If only the name is open,
///   the tag is judged: `${REGISTRY}/app:latest` is an error.
/// - Whether the image exists, or is up to date, is not looked up.
///
/// ## Examples
///
/// Denied:
///
/// ```yaml
/// containers:
///   - {name: web, image: nginx}
///   - {name: cache, image: "registry.lan:5000/redis:latest"}
/// ```
///
/// Use instead:
///
/// ```yaml
/// containers:
///   - {name: web, image: "nginx:1.27.3"}
///   - {name: cache, image: "registry.lan:5000/redis:7.4.2"}
/// ```
#[derive(Debug, Page)]
pub struct ImageTags;

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
pub struct Request<'a> {
    #[serde(borrow)]
    pod: Option<Pod<'a, Spec<'a>>>,
}

/// What is read of a pod's spec.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec<'a> {
    #[serde(borrow)]
    volumes: List<Volume<'a>>,
    init_containers: List<Container<'a>>,
    containers: List<Container<'a>>,
    ephemeral_containers: List<Container<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Container<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    image: Text<'a>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Volume<'a> {
    #[serde(borrow)]
    image: Option<VolumeImage<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct VolumeImage<'a> {
    #[serde(borrow)]
    reference: Text<'a>,
}

impl Policy for ImageTags {
    type Request<'a> = Request<'a>;
    type Settings = Settings;
    type Code = Code;

    fn matches() -> MatchConstraints {
        MatchConstraints::workloads()
    }

    fn evaluate(request: &Request<'_>, settings: &Settings, report: &mut Report<Code>) {
        let Some(Pod { path, spec }) = &request.pod else {
            return;
        };
        for (index, volume) in spec.volumes.iter().enumerate() {
            if let Some(image) = &volume.image {
                let place = Place::at(format!("{path}/spec/volumes/{index}/image/reference"));
                find(&image.reference, &place, settings, report);
            }
        }
        let lists = [
            (ContainerList::Init, &spec.init_containers),
            (ContainerList::Main, &spec.containers),
            (ContainerList::Ephemeral, &spec.ephemeral_containers),
        ];
        for (list, containers) in lists {
            for (index, container) in containers.iter().enumerate() {
                let place = Place::at(format!("{path}/spec/{}/{index}/image", list.member()));
                let place = match &*container.name {
                    "" => place,
                    name => place.in_container(name),
                };
                find(&container.image, &place, settings, report);
            }
        }
    }
}

fn find(image: &str, place: &Place, settings: &Settings, report: &mut Report<Code>) {
    for advice in judge(image, settings) {
        report.find(advice.code, place.clone(), advice.remedy, advice.message);
    }
}

/// Judges one image. Each code stands by itself: an image may have several.
fn judge(text: &str, settings: &Settings) -> Vec<Advice> {
    let (image, is_whole) = match image::read(text) {
        Image::Unresolved => return vec![advice::unresolved(text)],
        Image::Invalid(fault) => return vec![advice::invalid(text, fault)],
        Image::Whole(image) if settings.ignores(&image) => return vec![],
        Image::Whole(image) => (image, true),
        Image::Partial(image) => (image, false),
    };
    let mut advice = Vec::new();
    if !is_whole && !settings.allow_registries.is_empty() {
        advice.push(advice::unresolved(text));
    }
    if is_whole && !settings.allows(&image) {
        advice.push(advice::registry(text, &image, settings));
    }
    if image.digest.is_some() {
        return advice;
    }
    if settings.require_digest {
        advice.push(advice::no_digest(text));
    }
    match image.tag {
        None | Some("latest") => advice.push(advice::latest(text, &image)),
        Some(tag) => {
            let reason = tag::reason(tag, &settings.floating_words);
            let reason = reason.filter(|(code, _)| !settings.accepts(code));
            advice.extend(
                reason.map(|(code, word)| {
                    advice::mutable(code, word, text, &image, settings.precision)
                }),
            );
        }
    }
    advice
}

portcullis_sdk::export!(ImageTags);
