//! The words of a finding.

use portcullis_sdk::image::{Fault, Reference};
use portcullis_sdk::shown;

use crate::{Code, Precision, Settings};

/// A finding without its place.
pub(crate) struct Advice {
    pub(crate) code: Code,
    pub(crate) remedy: String,
    pub(crate) message: String,
}

pub(crate) fn latest(text: &str, image: &Reference<'_>) -> Advice {
    let (shown_image, name) = (shown(text), shown(image.name));
    let (change, state) = match image.tag {
        Some(_) => ("write a version instead of `latest`", ""),
        None => ("add a version", " has no tag, which means `latest`, and"),
    };
    Advice {
        code: Code::ImageLatest,
        remedy: format!(
            "{change}, as in `{name}:VERSION`, or pin a digest, as in `{name}@sha256:DIGEST`"
        ),
        message: format!("`{shown_image}`{state} changes whenever a new version is pushed"),
    }
}

/// Advice on a tag that moves: `word` is the part of it that says so.
pub(crate) fn mutable(
    code: Code,
    word: &str,
    text: &str,
    image: &Reference<'_>,
    precision: Precision,
) -> Advice {
    let (image, name) = (shown(text), shown(image.name));
    let patch = if precision == Precision::Patch {
        ".PATCH"
    } else {
        ""
    };
    let (remedy, message) = match code {
        Code::ImagePrerelease => (
            format!("use a finished release, as in `{name}:VERSION`"),
            format!("`{image}` is a pre-release (`{word}`)"),
        ),
        Code::ImageMajorOnly => (
            format!("write the whole version, as in `{name}:{word}.MINOR{patch}`"),
            format!("`{image}` names a major version only and moves with every minor release"),
        ),
        Code::ImageMinorOnly => (
            format!("write the whole version, as in `{name}:{word}.PATCH`"),
            format!("`{image}` names no patch version and moves with every patch release"),
        ),
        _ => (
            format!("write a version instead of `{word}`, as in `{name}:VERSION`"),
            format!("`{image}` follows `{word}`, which is pushed again under the same name"),
        ),
    };
    Advice {
        code,
        remedy: format!("{remedy}, or pin a digest"),
        message,
    }
}

pub(crate) fn no_digest(text: &str) -> Advice {
    let image = shown(text);
    Advice {
        code: Code::ImageNoDigest,
        remedy: format!("append the digest, as in `{image}@sha256:DIGEST`"),
        message: format!("`{image}` has no digest, and its tag can be pushed again"),
    }
}

pub(crate) fn registry(text: &str, image: &Reference<'_>, settings: &Settings) -> Advice {
    let whole = image.components().collect::<Vec<_>>().join("/");
    let (image, whole) = (shown(text), shown(&whole));
    let allowed = settings.allow_registries.join("`, `");
    Advice {
        code: Code::ImageRegistry,
        remedy: format!("use an image from an allowed place: `{}`", shown(&allowed)),
        message: format!("`{image}` comes from `{whole}`, which is not allowed"),
    }
}

pub(crate) fn unresolved(text: &str) -> Advice {
    let image = shown(text);
    let message = if text.is_empty() {
        "the image is empty and cannot be judged".to_owned()
    } else {
        format!("`{image}` cannot be judged before it is filled in")
    };
    let remedy = "judge the object as it is applied, with its image filled in".to_owned();
    Advice {
        code: Code::ImageUnresolved,
        remedy,
        message,
    }
}

pub(crate) fn invalid(text: &str, fault: Fault) -> Advice {
    let Reference { name, .. } = Reference::split(text);
    let bare = text.split_once("://").map_or(text, |(_, bare)| bare);
    let lower = name.to_ascii_lowercase() + &text[name.len()..];
    let (image, name) = (shown(text), shown(name));
    let (remedy, problem) = match fault {
        Fault::Scheme => (
            format!("drop the scheme: write `{}`", shown(bare)),
            "is a URL",
        ),
        Fault::UpperCase => (
            format!(
                "write the repository in lower case, as in `{}`",
                shown(&lower)
            ),
            "has capital letters in its repository",
        ),
        Fault::Name => (
            "write the image as `REGISTRY/REPOSITORY:VERSION`, without blanks".to_owned(),
            "names no valid repository",
        ),
        Fault::Tag => (
            format!("write a tag of letters, digits, `.`, `_` and `-`, as in `{name}:VERSION`"),
            "has no valid tag",
        ),
        Fault::Digest => (
            format!("write the whole digest, as in `{name}@sha256:` and 64 hexadecimal digits"),
            "has no valid digest",
        ),
    };
    let message = format!("`{image}` {problem}, so that no node can pull it");
    Advice {
        code: Code::ImageInvalid,
        remedy,
        message,
    }
}
