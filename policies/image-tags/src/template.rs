//! Images that something else fills in before a node sees them.

use crate::reference::{Fault, Reference};

/// What is known of an image.
pub(crate) enum Image<'a> {
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
pub(crate) fn read(text: &str) -> Image<'_> {
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
    let reference = Reference { name: &text[..end + name.len()], tag, digest };
    match reference.check_version() {
        Ok(()) => Image::Partial(reference),
        Err(fault) => Image::Invalid(fault),
    }
}

/// Where the last substitution ends; an open one reaches to the end.
fn last_substitution(text: &str) -> Option<usize> {
    let bracket = |(open, close): (&str, &str)| {
        let start = text.rfind(open)?;
        Some(text[start..].rfind(close).map_or(text.len(), |at| start + at + close.len()))
    };
    let variable = || {
        let start = text.rfind('$')? + 1;
        let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let word = text[start..].find(|c| !is_word(c)).unwrap_or(text.len() - start);
        (word > 0).then_some(start + word)
    };
    BRACKETS.into_iter().filter_map(bracket).chain(variable()).max()
}
