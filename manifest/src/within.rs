//! Where a place inside a text stands in the manifest that holds the text.
//!
//! A block scalar keeps its lines; other styles fold them. What is said here is
//! checked against the source: a place that cannot be told for sure is none.

use saphyr_parser::ScalarStyle;

use super::Position;
use super::locate::Written;

/// Where line and column `at` (from 1) of the scalar stand in `source`, with
/// lines counted from its start.
pub(crate) fn locate(source: &str, scalar: &Written<'_>, at: Position) -> Option<Position> {
    match scalar.style {
        ScalarStyle::Literal => literal(source, scalar, at),
        ScalarStyle::Folded => folded(source, scalar, at, scalar.span.start.col()),
        ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            folded(source, scalar, at, 0)
        }
    }
}

/// One line of the source for each line of the text. Lines before the first
/// that is not empty are before the scalar's start.
fn literal(source: &str, scalar: &Written<'_>, at: Position) -> Option<Position> {
    let text = scalar.text.lines().nth(index(at.line)?)?;
    let leading = scalar
        .text
        .bytes()
        .take_while(|byte| *byte == b'\n')
        .count();
    let first = scalar.span.start.line().checked_sub(leading)?;
    let line = first + index(at.line)?;
    let written = source.lines().nth(line.checked_sub(1)?)?;
    let indent = written.strip_suffix(text)?;
    let is_indent = indent.bytes().all(|byte| byte == b' ');
    let is_within = index(at.column)? <= text.chars().count();
    (is_indent && is_within).then(|| place(line, indent.len(), at.column))
}

/// Each line of the source is a piece of the text, and only white space is
/// between them: whatever else is there (an escape) ends the search.
fn folded(source: &str, scalar: &Written<'_>, at: Position, indent: usize) -> Option<Position> {
    let (text, wanted) = (&*scalar.text, offset(&scalar.text, at)?);
    let (start, end) = (scalar.span.start, scalar.span.end);
    let is_block = scalar.style == ScalarStyle::Folded;
    let is_quoted = !is_block && scalar.style != ScalarStyle::Plain;
    let mut done = 0;
    let lines = source
        .lines()
        .enumerate()
        .skip(start.line().checked_sub(1)?);
    for (number, line) in lines.take(end.line().saturating_sub(start.line()) + 1) {
        let is_first = number + 1 == start.line();
        let from = if is_first {
            start.col() + usize::from(is_quoted)
        } else {
            indent
        };
        let mut piece = after(line, from);
        let mut column = line.chars().count() - piece.chars().count();
        if number + 1 == end.line() && !is_block {
            let room = end.col().checked_sub(usize::from(is_quoted) + column)?;
            piece = before(piece, room);
        }
        if !is_block {
            let trimmed = piece.trim_start_matches([' ', '\t']);
            column += piece.chars().count() - trimmed.chars().count();
            piece = trimmed.trim_end_matches([' ', '\t']);
        }
        if piece.is_empty() {
            continue;
        }
        while !text[done..].starts_with(piece) {
            let next = text[done..].chars().next()?;
            done += matches!(next, ' ' | '\n').then(|| next.len_utf8())?;
        }
        if wanted < done {
            return None;
        }
        if wanted <= done + piece.len() {
            let chars = text[done..wanted].chars().count();
            return Some(place(number + 1, column + chars, 1));
        }
        done += piece.len();
    }
    None
}

/// Where `at` is in the text, in bytes.
fn offset(text: &str, at: Position) -> Option<usize> {
    let line = text.split('\n').nth(index(at.line)?)?;
    let start = line.as_ptr().addr() - text.as_ptr().addr();
    let chars = line.char_indices().map(|(byte, _)| byte);
    let byte = chars.chain([line.len()]).nth(index(at.column)?)?;
    Some(start + byte)
}

/// A number that counts from 1, as one that counts from 0.
fn index(number: u32) -> Option<usize> {
    usize::try_from(number).ok()?.checked_sub(1)
}

/// The rest of a line from this character on.
fn after(line: &str, chars: usize) -> &str {
    let start = line.char_indices().nth(chars);
    start.map_or("", |(byte, _)| &line[byte..])
}

/// So many of its first characters.
fn before(line: &str, chars: usize) -> &str {
    let end = line.char_indices().nth(chars);
    end.map_or(line, |(byte, _)| &line[..byte])
}

fn place(line: usize, before: usize, column: u32) -> Position {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX / 2);
    Position {
        line: count(line),
        column: count(before).saturating_add(column),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Position, read};

    /// Line and column of the mark in the manifest, and where `inside` says
    /// that the mark of the text is.
    fn told(manifest: &str) -> (Option<Position>, Position) {
        let place = |text: &str| {
            let start = text.find('@').expect("a mark");
            let line = text[..start].matches('\n').count();
            let column = text[..start]
                .rsplit('\n')
                .next()
                .map_or(0, |line| line.chars().count());
            let count = |n: usize| u32::try_from(n).expect("small") + 1;
            Position {
                line: count(line),
                column: count(column),
            }
        };
        let object = read(manifest.as_bytes()).objects.pop().expect("an object");
        let text = object.value["data"]["k"]
            .as_str()
            .expect("a text")
            .to_owned();
        (object.inside("/data/k", place(&text)), place(manifest))
    }

    const HEAD: &str = "---\n# c\napiVersion: v1\nkind: ConfigMap\ndata:\n  a: b\n";

    #[test]
    fn the_line_of_a_text_is_found_in_its_manifest() {
        for written in [
            "  k: |\n    a: b\n    c: @d\n",
            "  k: |-\n    a: b\n    c: @d",
            "  k: |+  # kept\n\n\n    a: é\n\n      é: @d\n\n",
            "  k: |2\n      a: b\n     c: @d\n",
            "  k: |\r\n    a: b\r\n    c: @d\r\n",
            "  k: |\n    a\n    \n    c: @d\n    e\n  z: 1\n",
            "  k: >\n    a: b\n    é: @d\n",
            "  k: >-\n    a: b\n\n    more\n      deeper @x\n\n    c\n",
            "  k: \"a b @c d\"\n",
            "  k: 'a\n\n    b @c'\n",
            "  k: \"a\n\n    b\n    é @c\n    d\"\n",
            "  k: a\n    b\n    é @c\n    d\n",
            "  k: x@y\n",
            "  \"k\": @\n".replace('@', "'@'").as_str(),
        ] {
            let manifest = format!("{HEAD}{written}");
            let (found, expected) = told(&manifest);
            assert_eq!(found, Some(expected), "{manifest}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_told_is_none() {
        for written in [
            "  k: \"a\\nb @c\"\n",
            "  k: 'it''s @c'\n",
            "  x: &x |\n    a: @b\n  k: *x\n",
            "  k: a\n  k: |\n    c: @b\n",
        ] {
            let manifest = format!("{HEAD}{written}");
            assert_eq!(told(&manifest).0, None, "{manifest}");
        }
        let text = format!("{HEAD}  k: |\n    a\n");
        let object = read(text.as_bytes()).objects.pop().expect("an object");
        for (line, column) in [(0, 1), (1, 0), (1, 3), (3, 1), (u32::MAX, u32::MAX)] {
            let found = object.inside("/data/k", Position { line, column });
            assert_eq!(found, None, "{line}:{column}");
        }
        assert_eq!(
            object.inside("/data/none", Position { line: 1, column: 1 }),
            None
        );
    }

    #[test]
    fn items_of_lists_and_later_documents_are_counted_from_the_file() {
        let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n";
        let text = format!("{HEAD}---\n{list}  data:\n    k: |\n      a\n      @b\n");
        let (found, expected) = told(&text);
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn a_value_is_covered_from_its_first_to_its_last_character() {
        let text = "apiVersion: v1\nkind: A\nx: {a: 'b c', d: [e, \"f\"]}\ny: |\n  1\n  2\nz: &z q\nw: *z\n";
        let object = read(text.as_bytes()).objects.pop().expect("an object");
        let span = |path: &str| {
            let (start, end) = object.span(path)?;
            Some([start.line, start.column, end.line, end.column])
        };
        assert_eq!(span("/x/a"), Some([3, 8, 3, 13]));
        assert_eq!(span("/x/d"), Some([3, 18, 3, 26]));
        assert_eq!(span("/y"), Some([5, 3, 7, 1]));
        assert_eq!(span("/w"), Some([8, 4, 8, 6]));
        assert_eq!(span("/none"), None);
    }

    #[test]
    fn mutated_text_never_panics() {
        let seed = format!("{HEAD}  k: >\n    a é\n\n    b\n  l: \"x\n    y\"\n  m: 'z'\n");
        let mut state = 11_u64;
        let mut next = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).expect("31 bits") % below
        };
        for _ in 0..20_000 {
            let mut text = seed.clone().into_bytes();
            for _ in 0..4 {
                let at = next(text.len());
                text[at] = b"{}[]:-&*!|>'\"%@`#,?\n \t~x01"[next(26)];
            }
            for object in read(&text).objects {
                for path in ["/data/k", "/data/l", "/data/m"] {
                    let count = |n: usize| u32::try_from(n).expect("small");
                    let (line, column) = (count(next(5)), count(next(9)));
                    object.inside(path, Position { line, column });
                    object.span(path);
                }
            }
        }
    }
}
