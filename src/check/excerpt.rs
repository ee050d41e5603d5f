//! The line of a finding, as it may be shown.

use portcullis_manifest::{Object, Position};

use super::judge::Given;
use crate::finding::Excerpt;
use crate::policy::decision::Judged;
use crate::policy::scrub::Values;

/// What stands where a secret stands in the file.
const HIDDEN: &str = "[not shown]";

/// What was found to be secret in an object, and where it stands in its file.
pub(super) struct Secrets {
    spans: Vec<(Position, Position)>,
    values: Values,
}

impl Secrets {
    /// Those that the findings point at; of Secrets and ConfigMaps none, as
    /// no line of theirs is shown.
    pub(super) fn of(object: &Object, findings: &[Judged]) -> Secrets {
        let is_shown = !is_hidden(object);
        let secret = findings.iter().filter(|judged| judged.secret && is_shown);
        let paths: Vec<&str> = secret.map(|judged| judged.finding.path.as_str()).collect();
        Secrets {
            spans: paths.iter().filter_map(|path| object.span(path)).collect(),
            values: Values::at(&object.value, &paths),
        }
    }

    /// From where to where they stand on a line, from 0 and in characters;
    /// in order, and none overlaps another.
    fn on(&self, line: u32, width: usize) -> Vec<(usize, usize)> {
        let column = |position: Position| (position.column as usize).saturating_sub(1).min(width);
        let touching = self
            .spans
            .iter()
            .filter(|(start, end)| (start.line..=end.line).contains(&line));
        let mut parts: Vec<(usize, usize)> = touching
            .map(|(start, end)| {
                let from = if start.line == line {
                    column(*start)
                } else {
                    0
                };
                (
                    from,
                    if end.line == line {
                        column(*end)
                    } else {
                        width
                    },
                )
            })
            .filter(|(start, end)| start < end)
            .collect();
        parts.sort_unstable();
        let mut apart: Vec<(usize, usize)> = Vec::new();
        for (start, end) in parts {
            match apart.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => apart.push((start, end)),
            }
        }
        apart
    }
}

/// The line of what is at `pointer`. Those of Secrets and ConfigMaps are never
/// shown: they hold the values.
pub(super) fn of(given: &Given, pointer: &str, secrets: &Secrets) -> Option<Excerpt> {
    if is_hidden(&given.object) {
        return None;
    }
    let extent = given.object.extent(pointer);
    let index = usize::try_from(extent.start.line).ok()?.checked_sub(1)?;
    let line = given.text.lines().nth(index)?;
    let hidden = secrets.on(extent.start.line, line.chars().count());
    let text = masked(line, &hidden);
    // Repeated elsewhere on the line: none of it is shown.
    if secrets.values.without(text.clone()) != text {
        return None;
    }
    let start = extent.start.column.saturating_sub(1) as usize;
    let from = moved(start, &hidden, Side::Start);
    let to = moved(start + extent.width as usize, &hidden, Side::End);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Some(Excerpt {
        text,
        column: count(from + 1),
        marked: count(to.saturating_sub(from)),
        width: extent.width,
    })
}

/// Whether no line of it is shown.
fn is_hidden(object: &Object) -> bool {
    matches!(object.kind(), "Secret" | "ConfigMap")
}

fn masked(line: &str, hidden: &[(usize, usize)]) -> String {
    let mut text = String::with_capacity(line.len());
    for (index, character) in line.chars().enumerate() {
        match hidden.iter().find(|part| (part.0..part.1).contains(&index)) {
            Some(part) if part.0 == index => text.push_str(HIDDEN),
            Some(_) => {}
            None => text.push(character),
        }
    }
    text
}

/// Which end of a mark a place in the midst of a hidden part moves to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Start,
    End,
}

/// Where a place of the line is in what is shown of it.
fn moved(at: usize, hidden: &[(usize, usize)], side: Side) -> usize {
    let mut moved = at;
    for (start, end) in hidden.iter().rev() {
        if at >= *end {
            moved = moved + HIDDEN.len() - (end - start);
        } else if at > *start {
            let edge = if side == Side::Start { 0 } else { HIDDEN.len() };
            moved = start + edge;
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_leaves_a_mark_of_one_length_and_the_caret_in_its_place() {
        let line = "{a: sécret, b: 'x', c: y}";
        let hidden = [(4, 10), (15, 18)];
        let shown = masked(line, &hidden);
        assert_eq!(shown, "{a: [not shown], b: [not shown], c: y}");
        for (from, to, marked) in [
            (1, 2, "a"),
            (4, 10, "[not shown]"),
            (6, 7, "[not shown]"),
            (12, 18, "b: [not shown]"),
            (15, 18, "[not shown]"),
            (23, 24, "y"),
            (0, 25, shown.as_str()),
        ] {
            let start = moved(from, &hidden, Side::Start);
            let end = moved(to, &hidden, Side::End);
            assert_eq!(&shown[start..end], marked, "{from}..{to}");
        }
        assert_eq!(masked(line, &[]), line);
    }
}
