//! Images that something else fills in before a node sees them.

use super::reference::{Fault, Reference};

/// What is known of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image<'a> {
    /// All of it.
    Whole(Reference<'a>),
    /// Its tag and digest; a substitution stands in its name. No node takes
    /// such a name, so that nothing escapes the rules about names.
    Partial(Reference<'a>),
    /// Not even the tag.
    Unresolved,
    /// That no node can pull it.
    Invalid(Fault),
}

/// Starts and ends of substitutions: `${VAR}`, `{{ .Values.image }}`,
/// `$(VAR)`, `<version>`. None of these signs is allowed in a reference.
const BRACKETS: [(&str, &str); 3] = [("{", "}"), ("$(", ")"), ("<", ">")];

/// Reads an image as it was written.
pub fn read(text: &str) -> Image<'_> {
    // Istio's injector replaces `auto`; `ko` builds what `ko://` names.
    if text.is_empty() || text == "auto" || text.starts_with("ko://") {
        return Image::Unresolved;
    }
    let Some(end) = last_substitution(text) else {
        return Reference::parse(text).map_or_else(Image::Invalid, Image::Whole);
    };
    // The tag is certain if it is written out, or if a component of the name
    // that has none is: `${REGISTRY}/app`.
    let written = &text[end..];
    if !written.contains(['/', ':', '@']) {
        return Image::Unresolved;
    }
    let Reference { name, tag, digest } = Reference::split(written);
    let reference = Reference {
        name: &text[..end + name.len()],
        tag,
        digest,
    };
    match reference.check_version() {
        Ok(()) => Image::Partial(reference),
        Err(fault) => Image::Invalid(fault),
    }
}

/// Where the last substitution ends; an open one reaches to the end.
fn last_substitution(text: &str) -> Option<usize> {
    let bracket = |(open, close): (&str, &str)| {
        let start = text.rfind(open)?;
        Some(
            text[start..]
                .rfind(close)
                .map_or(text.len(), |at| start + at + close.len()),
        )
    };
    let variable = || {
        let start = text.rfind('$')? + 1;
        let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let word = text[start..]
            .find(|c| !is_word(c))
            .unwrap_or(text.len() - start);
        (word > 0).then_some(start + word)
    };
    BRACKETS
        .into_iter()
        .filter_map(bracket)
        .chain(variable())
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let parts = |image: Reference<'_>| {
            let part = |part: Option<&str>| part.unwrap_or("-").to_owned();
            format!("{} {} {}", image.name, part(image.tag), part(image.digest))
        };
        match read(text) {
            Image::Whole(image) => format!("whole {}", parts(image)),
            Image::Partial(image) => format!("partial {}", parts(image)),
            Image::Unresolved => "unresolved".into(),
            Image::Invalid(fault) => format!("invalid {fault:?}"),
        }
    }

    #[test]
    fn an_open_version_is_unresolved() {
        for text in [
            "",
            "auto",
            "ko://example.com/cmd",
            "${IMAGE}",
            "$(IMAGE)",
            "$IMAGE",
            "{{ .Values.image }}",
            "<image>",
            "nginx:${TAG}",
            "nginx:$TAG",
            "nginx:1.27-${X}",
            "nginx:${TAG:-latest}",
            "nginx:${MAJOR}.2.3",
            "nginx:{{tag}}-alpine",
            "nginx:<version>",
            "nginx@${DIGEST}",
            "nginx@sha256:${HASH}",
            "${REGISTRY}/nginx:${TAG}",
            "${NAME}-suffix",
            "nginx:${TAG",
            "{{ a }}:{{ b }}",
            "$A$B",
            "nginx:<no value>",
            "repo:{tag}",
        ] {
            assert_eq!(told(text), "unresolved", "{text}");
        }
    }

    #[test]
    fn what_is_written_out_after_a_substitution_is_known() {
        for (text, expected) in [
            ("${REGISTRY}/app:latest", "partial ${REGISTRY}/app latest -"),
            ("${REGISTRY}/app", "partial ${REGISTRY}/app - -"),
            ("$REGISTRY/app:1.2", "partial $REGISTRY/app 1.2 -"),
            ("$(REGISTRY)/a/b:1.2.3", "partial $(REGISTRY)/a/b 1.2.3 -"),
            ("host:${PORT}/app", "partial host:${PORT}/app - -"),
            ("${HOST}:5000/app", "partial ${HOST}:5000/app - -"),
            ("${IMAGE}:latest", "partial ${IMAGE} latest -"),
            (
                "{{ .Values.image }}:main",
                "partial {{ .Values.image }} main -",
            ),
            ("ghcr.io/<user>/app:1", "partial ghcr.io/<user>/app 1 -"),
            ("${A:-${B}}/app:2", "partial ${A:-${B}}/app 2 -"),
            ("${A}-x/app:2", "partial ${A}-x/app 2 -"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        let digest = format!("sha256:{}", "0".repeat(64));
        let text = format!("nginx:${{TAG}}@{digest}");
        assert_eq!(told(&text), format!("partial nginx:${{TAG}} - {digest}"));
    }

    #[test]
    fn a_version_that_cannot_be_is_invalid_even_after_a_substitution() {
        assert_eq!(told("${REGISTRY}/app:la test"), "invalid Tag");
        assert_eq!(told("${IMAGE}@sha256:12"), "invalid Digest");
    }

    #[test]
    fn lone_signs_of_substitutions_are_invalid() {
        assert_eq!(told("nginx:1$"), "invalid Tag");
        assert_eq!(told("nginx:1}"), "invalid Tag");
        assert_eq!(told("automatic"), "whole automatic - -");
    }
}
