//! The policy `image-tags`: see [`ImageTags`].

mod reference;
mod settings;
mod tag;

use portcullis_sdk::pod::{Containers, List, Pod};
use portcullis_sdk::prelude::*;

pub use reference::Reference;
pub use settings::{Precision, Settings};
pub use tag::{Unstable, judge as judge_tag};

/// ## What it does
///
/// Refuses images without a version: no tag, or the tag `latest`, and no
/// digest. Warns of tags that move: `stable`, `main`, `16-master`, release
/// candidates; says of `16` and `16.2` that they could be more precise.
///
/// It looks at `containers`, `initContainers` (sidecars included),
/// `ephemeralContainers` and image volumes, of pods and of everything that
/// carries a pod template.
///
/// ## Why
///
/// `latest` means whatever was pushed last. Two pods of one Deployment run
/// different code after a node was drained; a rollback brings back the same
/// tag, not the same program; and `imagePullPolicy: IfNotPresent` may keep an
/// old one for years. Nothing in the cluster tells which version runs.
///
/// ## What it does not judge
///
/// - An image with a digest passes, whatever its tag: the digest decides.
/// - Images that are filled in later (`auto` of Istio, `${IMAGE}`, `{{ }}`,
///   `ko://`) are reported as unresolved, and neither pass nor fail. Where
///   only the registry is filled in, as in `${REGISTRY}/app:latest`, the tag
///   is judged.
///
/// ## Examples
///
/// | refused or warned of | write instead |
/// |---|---|
/// | `nginx`, `nginx:latest` | `nginx:1.29.1`, or `nginx@sha256:...` |
/// | `registry:5000/app` (a port is no tag) | `registry:5000/app:2.4.0` |
/// | `redis:stable`, `app:main` | the version you tested |
/// | `postgres:18-rc1` | the release, once it is there |
#[derive(Page)]
pub struct ImageTags;

/// What `image-tags` may report.
#[derive(Debug, Clone, Copy, Codes)]
pub enum Code {
    /// The image has no version: no digest, and no tag or the tag `latest`.
    /// What runs depends on when a node pulled it last.
    #[code(error)]
    ImageLatest,
    /// The tag names no version, or has a part that moves (`main`, `stable`,
    /// `16-master`). It changes under you without a change of the manifest.
    #[code(warning)]
    ImageFloating,
    /// The tag names an unfinished version: a release candidate, an alpha, a
    /// nightly build. Such tags are often pushed again or deleted.
    #[code(warning)]
    ImagePrerelease,
    /// The tag names a major version only, which moves with every release of
    /// it. Setting `precision: major` allows it.
    #[code(info)]
    ImageMajorOnly,
    /// The tag names a minor version only, which moves with every patch.
    /// Setting `precision: minor` allows it.
    #[code(info)]
    ImageMinorOnly,
    /// The image is filled in later, so that nothing can be said of it here.
    /// It is judged when it reaches the cluster.
    #[code(info)]
    ImageUnresolved,
    /// The image is no valid reference. The API server takes it all the same,
    /// and the pod then stays in `InvalidImageName`.
    #[code(error)]
    ImageInvalid,
    /// The image has no digest, and the setting `requireDigest` demands one.
    #[code(error)]
    ImageNoDigest,
    /// The image comes from elsewhere than `allowRegistries` says.
    #[code(error)]
    ImageRegistry,
}

/// What is read of a request.
#[derive(Reads, Deserialize)]
pub struct Request<'a> {
    #[serde(borrow)]
    pod: Option<Pod<'a, Spec<'a>>>,
}

/// What is read of a pod's spec.
#[derive(Default, Reads, Deserialize)]
pub struct Spec<'a> {
    #[serde(borrow, flatten)]
    containers: Containers<Container<'a>>,
    #[serde(borrow, default)]
    volumes: List<Volume<'a>>,
}

/// What is read of a container.
#[derive(Reads, Deserialize)]
pub struct Container<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    image: Text<'a>,
}

/// What is read of a volume.
#[derive(Reads, Deserialize)]
pub struct Volume<'a> {
    #[serde(borrow, default)]
    image: Option<ImageVolume<'a>>,
}

/// A volume that is an image.
#[derive(Reads, Deserialize)]
pub struct ImageVolume<'a> {
    #[serde(borrow, default)]
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
        let Some(pod) = &request.pod else { return };
        for (_, pointer, container) in pod.spec.containers.iter(&pod.path) {
            let place = Place::at(format!("{pointer}/image")).in_container(&*container.name);
            judge(&container.image, place, settings, report);
        }
        for (index, volume) in pod.spec.volumes.iter().enumerate() {
            if let Some(image) = &volume.image {
                let pointer = format!("{}/spec/volumes/{index}/image/reference", &*pod.path);
                judge(&image.reference, Place::at(pointer), settings, report);
            }
        }
    }
}

fn judge(image: &str, place: Place, settings: &Settings, report: &mut Report<Code>) {
    let reference = Reference::split(image);
    if is_unresolved(image, &reference) {
        let message = match image {
            "" => "the image is empty".to_owned(),
            image => format!("`{image}` is filled in later"),
        };
        let remedy = "judge the rendered manifest, or the object in the cluster";
        return report.find(Code::ImageUnresolved, place, remedy, message);
    }
    if settings::is_below(&reference, &settings.ignore_images) {
        return;
    }
    let has_substitution = is_template(image);
    if !has_substitution && Reference::parse(image).is_none() {
        let remedy = "write the image as `registry/path:version`, in lower case, without blanks";
        let message = format!("`{image}` is no image reference, so that the pod cannot start");
        return report.find(Code::ImageInvalid, place, remedy, message);
    }
    if reference.digest.is_none() {
        judge_version(image, &reference, &place, settings, report);
    }
    let registries = &settings.allow_registries;
    if !registries.is_empty() && !has_substitution && !settings::is_below(&reference, registries) {
        let remedy = format!("take the image from `{}`", registries.join("` or `"));
        report.find(Code::ImageRegistry, place, remedy, format!("`{image}` comes from elsewhere"));
    }
}

fn judge_version(
    image: &str,
    reference: &Reference<'_>,
    place: &Place,
    settings: &Settings,
    report: &mut Report<Code>,
) {
    let name = reference.name;
    let pin = format!("write a version, as in `{name}:VERSION`, or pin a digest");
    let (code, remedy, message) = match (reference.tag, settings.require_digest) {
        (None, false) => {
            (Code::ImageLatest, pin, format!("`{image}` has no tag, which means `latest`"))
        }
        (Some("latest"), false) => (
            Code::ImageLatest,
            pin.replacen("version", "version instead of `latest`", 1),
            format!("`{image}` is whatever was pushed last"),
        ),
        (_, true) => (
            Code::ImageNoDigest,
            format!("pin the digest, as in `{image}@sha256:...`"),
            format!("`{image}` can be pushed again under the same tag"),
        ),
        (Some(tag), false) => {
            match tag::judge(tag, settings.precision, &settings.floating_words) {
                Some(unstable) => unstable_text(unstable, image, tag, name),
                None => return,
            }
        }
    };
    report.find(code, place.clone(), remedy, message);
}

fn unstable_text(unstable: Unstable, image: &str, tag: &str, name: &str) -> (Code, String, String) {
    let version = format!("write the version that you tested, as in `{name}:VERSION`");
    match unstable {
        Unstable::Prerelease => (
            Code::ImagePrerelease,
            format!("write a released version, as in `{name}:VERSION`"),
            format!("`{image}` is an unfinished version"),
        ),
        Unstable::Floating => {
            (Code::ImageFloating, version, format!("`{image}` changes under you: `{tag}` moves"))
        }
        Unstable::MajorOnly => (
            Code::ImageMajorOnly,
            format!("write the full version, as in `{name}:{tag}.MINOR.PATCH`"),
            format!("`{image}` moves with every release of `{tag}`"),
        ),
        Unstable::MinorOnly => (
            Code::ImageMinorOnly,
            format!("write the full version, as in `{name}:{tag}.PATCH`"),
            format!("`{image}` moves with every patch of `{tag}`"),
        ),
    }
}

/// Whether what decides over the version is yet to be filled in: the whole
/// image, its tag, or its end.
fn is_unresolved(image: &str, reference: &Reference<'_>) -> bool {
    let decides = reference.digest.or(reference.tag).unwrap_or(reference.name);
    image.trim().is_empty() || image == "auto" || image.starts_with("ko://") || is_template(decides)
}

fn is_template(text: &str) -> bool {
    text.contains(['$', '<']) || text.contains("{{") || text.contains("}}")
}

portcullis_sdk::export!(ImageTags);
