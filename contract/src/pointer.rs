//! JSON Pointers (RFC 6901).

use std::fmt::Write;

/// `prefix` with one more reference token, escaped.
///
/// ```
/// use portcullis_contract::pointer::join;
/// assert_eq!(join("/metadata/labels", "a/b~c"), "/metadata/labels/a~1b~0c");
/// ```
pub fn join(prefix: &str, token: &str) -> String {
    let mut joined = String::with_capacity(prefix.len() + token.len() + 1);
    joined.push_str(prefix);
    joined.push('/');
    for character in token.chars() {
        match character {
            '~' => joined.push_str("~0"),
            '/' => joined.push_str("~1"),
            other => joined.push(other),
        }
    }
    joined
}

/// The reference tokens of `pointer`, unescaped. An empty pointer has none.
pub fn tokens(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer
        .split('/')
        .skip(1)
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
}

/// `pointer` as people write field paths: `spec.containers[0].image`, with
/// keys that hold dots or other signs in quotes: `metadata.labels["a.b/c"]`.
pub fn field_path(pointer: &str) -> String {
    let mut path = String::new();
    for token in tokens(pointer) {
        let is_plain = token
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit()) {
            let _ = write!(path, "[{token}]");
        } else if is_plain && !token.is_empty() {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&token);
        } else {
            let _ = write!(path, "[{token:?}]");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_paths_read_as_people_write_them() {
        assert_eq!(
            field_path("/spec/containers/0/image"),
            "spec.containers[0].image"
        );
        assert_eq!(
            field_path("/metadata/labels/a.b~1c"),
            "metadata.labels[\"a.b/c\"]"
        );
        assert_eq!(field_path(""), "");
    }

    #[test]
    fn tokens_undo_join() {
        let pointer = join(&join("", "a/b"), "~c");
        assert_eq!(tokens(&pointer).collect::<Vec<_>>(), ["a/b", "~c"]);
    }
}
