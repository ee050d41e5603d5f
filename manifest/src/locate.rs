//! Where a value stands in the text of its document.

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::{Extent, Position};

/// Finds what `tokens` lead to, or the nearest that would hold it. Lines are
/// counted from the start of `text`.
pub(crate) fn locate(text: &str, tokens: &[String]) -> Extent {
    let mut walk = Walk {
        events: Parser::new_from_str(text),
        found: Span::default(),
        last: Span::default(),
    };
    walk.descend(tokens);
    walk.extent()
}

/// A scalar as it is written.
pub(crate) struct Written<'t> {
    /// What it says.
    pub(crate) text: Cow<'t, str>,
    pub(crate) style: ScalarStyle,
    /// From its first character (of a block: of its content) to the end of it.
    pub(crate) span: Span,
}

/// The scalar that `tokens` lead to; none where there is something else, or an
/// alias of it.
pub(crate) fn written<'t>(text: &'t str, tokens: &[String]) -> Option<Written<'t>> {
    let mut walk = Walk {
        events: Parser::new_from_str(text),
        found: Span::default(),
        last: Span::default(),
    };
    match walk.descend(tokens)? {
        Event::Scalar(text, style, ..) => Some(Written {
            text,
            style,
            span: walk.found,
        }),
        _ => None,
    }
}

/// From where to where everything stands that `tokens` lead to: the end is the
/// first place after it.
pub(crate) fn span(text: &str, tokens: &[String]) -> Option<(Position, Position)> {
    let mut walk = Walk {
        events: Parser::new_from_str(text),
        found: Span::default(),
        last: Span::default(),
    };
    let event = walk.descend(tokens)?;
    let start = walk.found.start;
    walk.pass(event)?;
    Some((position(&start), position(&walk.last.end)))
}

/// Where each element of the list `name` stands, of an object; none where there
/// is no list.
pub(crate) fn elements(text: &str, name: &str) -> Vec<Position> {
    let mut walk = Walk {
        events: Parser::new_from_str(text),
        found: Span::default(),
        last: Span::default(),
    };
    let mut places = Vec::new();
    let Some((Event::MappingStart(..), _)) = walk.next() else {
        return places;
    };
    let Some((Event::SequenceStart(..), _)) = walk.member(name) else {
        return places;
    };
    while let Some((event, span)) = walk.next() {
        if matches!(event, Event::SequenceEnd) {
            break;
        }
        walk.found = span;
        places.push(walk.extent().start);
        if walk.pass(event).is_none() {
            break;
        }
    }
    places
}

struct Walk<'t> {
    events: Parser<'t, StrInput<'t>>,
    /// The deepest place that was reached.
    found: Span,
    /// The last event that was read.
    last: Span,
}

impl<'t> Walk<'t> {
    /// The next event that is a value or the end of one. None at the end, or
    /// where the text is broken: what was found so far stands.
    fn next(&mut self) -> Option<(Event<'t>, Span)> {
        loop {
            match self.events.next_event()?.ok()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd | Event::DocumentEnd, _) => return None,
                (event, span) => {
                    self.last = span;
                    return Some((event, span));
                }
            }
        }
    }

    /// What is there, if all of the way is.
    fn descend(&mut self, tokens: &[String]) -> Option<Event<'t>> {
        let (mut event, mut span) = self.next()?;
        self.found = span;
        for token in tokens {
            (event, span) = match event {
                Event::MappingStart(..) => self.member(token)?,
                Event::SequenceStart(..) => self.element(token.parse().ok()?)?,
                _ => return None,
            };
            self.found = span;
        }
        Some(event)
    }

    /// The value of a key. Of a key that stands twice, the first.
    fn member(&mut self, name: &str) -> Option<(Event<'t>, Span)> {
        loop {
            let (key, _) = self.next()?;
            let is_wanted = match &key {
                Event::MappingEnd => return None,
                Event::Scalar(text, ..) => text == name,
                _ => false,
            };
            self.pass(key)?;
            let (value, span) = self.next()?;
            if is_wanted {
                return Some((value, span));
            }
            self.pass(value)?;
        }
    }

    fn element(&mut self, index: usize) -> Option<(Event<'t>, Span)> {
        for _ in 0..index {
            let (event, _) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return None;
            }
            self.pass(event)?;
        }
        let (event, span) = self.next()?;
        (!matches!(event, Event::SequenceEnd)).then_some((event, span))
    }

    /// Passes over the rest of a value.
    fn pass(&mut self, event: Event<'t>) -> Option<()> {
        let mut open = 0_usize;
        let mut event = event;
        loop {
            match event {
                Event::MappingStart(..) | Event::SequenceStart(..) => open += 1,
                Event::MappingEnd | Event::SequenceEnd => open -= 1,
                _ => {}
            }
            if open == 0 {
                return Some(());
            }
            event = self.next()?.0;
        }
    }

    fn extent(&self) -> Extent {
        let (start, end) = (&self.found.start, &self.found.end);
        let width = if start.line() == end.line() {
            end.col().saturating_sub(start.col())
        } else {
            1
        };
        Extent {
            start: position(start),
            width: count(width).max(1),
        }
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX - 1)
}

/// The parser counts lines from 1 and columns from 0.
fn position(marker: &Marker) -> Position {
    Position {
        line: count(marker.line()).max(1),
        column: count(marker.col()) + 1,
    }
}
