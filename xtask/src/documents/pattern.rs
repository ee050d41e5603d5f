//! What a document says a command prints, against what it prints.

/// Stands for any text in a line, and alone for any number of lines.
const ANYTHING: &str = "...";

/// Whether the lines are those that the document shows.
pub(crate) fn fits(expected: &[String], printed: &[&str]) -> bool {
    match (expected.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == ANYTHING => {
            (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..]))
        }
        (Some((first, rest)), Some((line, lines))) => line_fits(first, line) && fits(rest, lines),
        _ => false,
    }
}

fn line_fits(expected: &str, line: &str) -> bool {
    let parts: Vec<&str> = expected.split(ANYTHING).collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return expected == line;
    };
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(expected: &str, printed: &str) -> bool {
        let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        fits(&expected, &printed.lines().collect::<Vec<_>>())
    }

    #[test]
    fn dots_stand_for_anything_and_all_else_is_exact() {
        for (expected, printed, result) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a", "a\nb", false),
            ("a\nb", "a", false),
            (
                "x.wasm: ... bytes, sha256:...",
                "x.wasm: 1,234 bytes, sha256:ab",
                true,
            ),
            (
                "x.wasm: ... bytes, sha256:...",
                "x.wasm: 1,234 bytes, md5:ab",
                false,
            ),
            ("load ... ms, init ... ms", "load 1.0 ms, init 2.0 ms", true),
            ("load ... ms, init ... ms", "load 1.0 ms, init 2.0 s", false),
            ("a\n...\nb", "a\nb", true),
            ("a\n...\nb", "a\n1\n2\nb", true),
            ("a\n...\nb", "a\n1\n2\nc", false),
            ("...b", "ab", true),
            ("a...a", "a", false),
        ] {
            assert_eq!(fit(expected, printed), result, "{expected:?} {printed:?}");
        }
    }
}
