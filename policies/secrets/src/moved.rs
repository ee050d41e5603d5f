//! What Portcullis leaves where it moves a value out of a ConfigMap.

/// How it begins (`relocation/src/placeholder.rs`).
const BEGINNING: &[u8] = b"moved-secret:v1:portcullis-moved-s-";
/// Digits of a staged Secret's name.
const DIGITS: usize = 16;

/// Whether a whole entry is such a placeholder. Who is told that a value was moved
/// need not be told of what stands for it. All of it is looked at, so that nothing
/// hides behind its beginning.
pub(crate) fn is_placeholder(entry: &[u8]) -> bool {
    let Some(rest) = entry.strip_prefix(BEGINNING) else {
        return false;
    };
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let mut parts = rest.split(|byte| *byte == b':');
    let (name, digest, none) = (parts.next(), parts.next(), parts.next());
    let are_digits = |part: &[u8]| !part.is_empty() && part.iter().all(is_digit);
    name.is_some_and(|name| name.len() == DIGITS && are_digits(name))
        && digest.is_some_and(are_digits)
        && none.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_one_as_a_whole_or_not_at_all() {
        let whole = b"moved-secret:v1:portcullis-moved-s-00f1e2d3c4b5a697:0123abcd";
        assert!(is_placeholder(whole));
        for other in [
            &whole[..whole.len() - 9],
            b"moved-secret:v1:hunter2",
            b"moved-secret:v1:portcullis-moved-s-00f1e2d3c4b5a697:0123abcd:hunter2",
            b"moved-secret:v1:portcullis-moved-s-00f1e2d3c4b5a697:hunter2",
        ] {
            assert!(!is_placeholder(other));
        }
    }
}
