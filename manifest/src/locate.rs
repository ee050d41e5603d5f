//! Where each value stands in the text of its document.

use std::hash::{DefaultHasher, Hash, Hasher};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::{Extent, Position};

/// Where everything of a document stands. Of a text that was read before:
/// where it is broken, or nested too deeply, the outline ends.
#[derive(Debug)]
pub(crate) struct Outline {
    /// The document's own value first, every other after what holds it.
    nodes: Vec<Node>,
}

/// A value: where its first event stands, and where its last one ends.
#[derive(Debug)]
struct Node {
    span: Span,
    end: Position,
    held: Held,
}

/// What a value holds.
#[derive(Debug)]
enum Held {
    /// A text; its digest, as written it may have several lines.
    Scalar(ScalarStyle, u64),
    List(Vec<usize>),
    /// Of a key that stands twice, both.
    Map(Vec<(Box<str>, usize)>),
    /// An alias.
    Nothing,
}

/// A scalar as it is written.
pub(crate) struct Written<'t> {
    /// What it says.
    pub(crate) text: &'t str,
    pub(crate) style: ScalarStyle,
    /// From its first character (of a block: of its content) to the end of it.
    pub(crate) span: Span,
}

impl Outline {
    pub(crate) fn of(text: &str) -> Outline {
        let mut reader = Reader {
            events: Parser::new_from_str(text),
            last: Span::default(),
            nodes: Vec::new(),
        };
        if let Some((event, span)) = reader.next() {
            // Broken: what was found so far stands.
            let _ = reader.node(&event, span, 0);
        }
        Outline {
            nodes: reader.nodes,
        }
    }

    /// Where what `tokens` lead to stands, or the nearest that would hold it.
    pub(crate) fn extent(&self, tokens: &[String]) -> Extent {
        let (node, _) = self.descend(tokens);
        node.map_or_else(|| extent(&Span::default()), |node| extent(&node.span))
    }

    /// The scalar that `tokens` lead to, if it says `text`; none where there is
    /// something else, or an alias of it.
    pub(crate) fn written<'t>(&self, tokens: &[String], text: &'t str) -> Option<Written<'t>> {
        let node = self.node(tokens)?;
        match node.held {
            Held::Scalar(style, said) if said == digest(text) => Some(Written {
                text,
                style,
                span: node.span,
            }),
            _ => None,
        }
    }

    /// From where to where everything stands that `tokens` lead to: the end is
    /// the first place after it.
    pub(crate) fn span(&self, tokens: &[String]) -> Option<(Position, Position)> {
        let node = self.node(tokens)?;
        Some((position(&node.span.start), node.end))
    }

    /// What `tokens` lead to, if all of the way is there.
    fn node(&self, tokens: &[String]) -> Option<&Node> {
        let (node, is_whole) = self.descend(tokens);
        node.filter(|_| is_whole)
    }

    /// The deepest that `tokens` lead to, and whether that is all of the way.
    fn descend(&self, tokens: &[String]) -> (Option<&Node>, bool) {
        let Some(mut node) = self.nodes.first() else {
            return (None, false);
        };
        for token in tokens {
            let child = match &node.held {
                Held::List(list) => token.parse().ok().and_then(|index: usize| list.get(index)),
                // Of a key that stands twice, the first.
                Held::Map(map) => map
                    .iter()
                    .find(|(key, _)| **key == **token)
                    .map(|(_, child)| child),
                Held::Scalar(..) | Held::Nothing => None,
            };
            let Some(child) = child.and_then(|child| self.nodes.get(*child)) else {
                return (Some(node), false);
            };
            node = child;
        }
        (Some(node), true)
    }
}

/// Levels that are gone into: more than any document that was read has.
const MAX_DEPTH: usize = 256;

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    /// The last event that was read.
    last: Span,
    nodes: Vec<Node>,
}

impl<'t> Reader<'t> {
    /// The next event that is a value or the end of one. None at the end, or
    /// where the text is broken.
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

    /// Reads a value with all that it holds. None where the text ends before
    /// it: what was read of it stands.
    fn node(&mut self, event: &Event<'t>, span: Span, depth: usize) -> Option<()> {
        let held = match event {
            Event::Scalar(text, style, ..) => Held::Scalar(*style, digest(text)),
            Event::SequenceStart(..) => Held::List(Vec::new()),
            Event::MappingStart(..) => Held::Map(Vec::new()),
            _ => Held::Nothing,
        };
        let own = self.nodes.len();
        let end = position(&span.end);
        self.nodes.push(Node { span, end, held });
        match event {
            Event::SequenceStart(..) if depth < MAX_DEPTH => self.elements(own, depth)?,
            Event::MappingStart(..) if depth < MAX_DEPTH => self.members(own, depth)?,
            Event::SequenceStart(..) | Event::MappingStart(..) => return None,
            _ => return Some(()),
        }
        self.nodes.get_mut(own)?.end = position(&self.last.end);
        Some(())
    }

    fn elements(&mut self, own: usize, depth: usize) -> Option<()> {
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Some(());
            }
            let child = self.nodes.len();
            if let Held::List(list) = &mut self.nodes.get_mut(own)?.held {
                list.push(child);
            }
            self.node(&event, span, depth + 1)?;
        }
    }

    fn members(&mut self, own: usize, depth: usize) -> Option<()> {
        loop {
            let (key, span) = self.next()?;
            let name = match &key {
                Event::MappingEnd => return Some(()),
                Event::Scalar(text, ..) => Some(text.as_ref().into()),
                key => {
                    // No path leads to what stands under such a key.
                    self.node(key, span, depth + 1)?;
                    None
                }
            };
            let (event, span) = self.next()?;
            let child = self.nodes.len();
            if let (Some(name), Held::Map(map)) = (name, &mut self.nodes.get_mut(own)?.held) {
                map.push((name, child));
            }
            self.node(&event, span, depth + 1)?;
        }
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn extent(span: &Span) -> Extent {
    let (start, end) = (&span.start, &span.end);
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
