//! From the text of one document to its value.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::split::Part;
use super::{Broken, Position, Warning, scalar};

/// Levels of nesting: what serde_json reads, and so what the webhook can.
const MAX_DEPTH: usize = 128;
/// Values of one document with its aliases resolved. The largest object that
/// the API server takes (1.5 MB) holds fewer.
const MAX_NODES: usize = 1_000_000;

/// A document that was read.
pub(crate) struct Document {
    pub(crate) value: Value,
    pub(crate) warnings: Vec<Warning>,
}

/// Reads the document of a part.
///
/// # Errors
///
/// The first thing that is wrong with it.
pub(crate) fn parse(part: &Part<'_>) -> Result<Document, Broken> {
    let mut reader = Reader {
        events: Parser::new_from_str(part.text),
        part: *part,
        anchors: HashMap::new(),
        tabbed: tabbed_lines(part.text),
        flow: 0,
        nodes: 0,
        warnings: Vec::new(),
    };
    let value = reader.document()?;
    Ok(Document {
        value,
        warnings: reader.warnings,
    })
}

type Events<'t> = Parser<'t, StrInput<'t>>;

struct Reader<'t> {
    events: Events<'t>,
    part: Part<'t>,
    anchors: HashMap<usize, Anchored>,
    /// Lines (from 1) whose indentation holds a tab.
    tabbed: HashSet<usize>,
    /// How many `{` and `[` are open: between them tabs are plain space.
    flow: usize,
    nodes: usize,
    warnings: Vec<Warning>,
}

/// A value that aliases may repeat.
struct Anchored {
    value: Value,
    nodes: usize,
    depth: usize,
}

/// A value, how many it holds, and how deep it is.
struct Node {
    value: Value,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Value, Broken> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => return Ok(Value::Null),
                event => {
                    let node = self.node(event, span, 0)?;
                    self.end()?;
                    return Ok(node.value);
                }
            }
        }
    }

    /// Nothing may follow: kubectl reads one document between two `---`.
    fn end(&mut self) -> Result<(), Broken> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentStart(_) => {
                    let problem = "what follows `...` is not read: start a new document with `---`";
                    return Err(self.broken(span, problem));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Broken> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let position = self.position(error.marker().line(), error.marker().col());
                Err(self.broken_at(position, &problem(error.info())))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Broken> {
        self.nodes += 1;
        if depth > MAX_DEPTH {
            return Err(self.broken(span, "this is nested deeper than 128 levels: flatten it"));
        }
        let before = self.nodes;
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => (
                anchor,
                Node {
                    value: self.scalar(text, style, tag, span)?,
                    depth: 0,
                },
            ),
            Event::SequenceStart(anchor, _) => (
                anchor,
                self.collection(span, |reader| reader.sequence(depth))?,
            ),
            Event::MappingStart(anchor, _) => (
                anchor,
                self.collection(span, |reader| reader.mapping(depth))?,
            ),
            Event::Alias(anchor) => (0, self.alias(anchor, span, depth)?),
            _ => return Err(self.broken(span, "a value is missing here")),
        };
        if anchor != 0 {
            let nodes = self.nodes - before + 1;
            let anchored = Anchored {
                value: node.value.clone(),
                nodes,
                depth: node.depth,
            };
            self.anchors.insert(anchor, anchored);
        }
        Ok(node)
    }

    /// Block collections start without width, flow collections with a bracket.
    fn collection(
        &mut self,
        span: Span,
        read: impl FnOnce(&mut Self) -> Result<Node, Broken>,
    ) -> Result<Node, Broken> {
        let is_flow = usize::from(!span.is_empty());
        self.flow += is_flow;
        let node = read(self);
        self.flow -= is_flow;
        node
    }

    fn sequence(&mut self, depth: usize) -> Result<Node, Broken> {
        let (mut list, mut deepest) = (Vec::new(), 0);
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Node {
                    value: Value::Array(list),
                    depth: deepest,
                });
            }
            let node = self.node(event, span, depth + 1)?;
            deepest = deepest.max(node.depth + 1);
            list.push(node.value);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Node, Broken> {
        let (mut map, mut deepest) = (Map::new(), 0);
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Node {
                    value: Value::Object(map),
                    depth: deepest,
                });
            }
            let key = self.key(event, span)?;
            let (event, value_span) = self.next()?;
            let node = self.node(event, value_span, depth + 1)?;
            deepest = deepest.max(node.depth + 1);
            match key {
                Key::Merge => self.merge(&mut map, node.value, value_span)?,
                Key::Name(name) => {
                    if map.contains_key(&name) {
                        self.warn(
                            span,
                            format!("the key `{name}` is there twice: the last one counts"),
                        );
                    }
                    map.insert(name, node.value);
                }
            }
        }
    }

    fn key(&mut self, event: Event<'t>, span: Span) -> Result<Key, Broken> {
        if self.flow == 0 && self.tabbed.contains(&span.start.line()) {
            return Err(self.broken(span, "a tab stands in the indentation: indent with spaces"));
        }
        if let Event::Scalar(text, ScalarStyle::Plain, _, None) = &event
            && text == "<<"
        {
            return Ok(Key::Merge);
        }
        // Keys are scalars, or aliases of scalars; neither nests.
        let value = self.node(event, span, MAX_DEPTH)?.value;
        match value {
            Value::Array(_) | Value::Object(_) => {
                Err(self.broken(span, "a key must be text: put it in quotes"))
            }
            value => scalar::key(&value)
                .map(Key::Name)
                .ok_or_else(|| self.broken(span, "a key must not be null: put it in quotes")),
        }
    }

    /// `<<`: in the order of the text, as kubectl's reader has it, so that a
    /// merge after a key overrides it; within a list the first wins.
    fn merge(
        &mut self,
        map: &mut Map<String, Value>,
        value: Value,
        span: Span,
    ) -> Result<(), Broken> {
        match value {
            Value::Object(merged) => map.extend(merged),
            Value::Array(list) => {
                for value in list.into_iter().rev() {
                    match value {
                        Value::Object(merged) => map.extend(merged),
                        _ => return Err(self.broken(span, "`<<` takes maps only")),
                    }
                }
            }
            _ => return Err(self.broken(span, "`<<` takes a map, or a list of maps")),
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Result<Node, Broken> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(self.broken(span, "this alias stands for something that holds it"));
        };
        if depth + anchored.depth > MAX_DEPTH {
            return Err(self.broken(span, "this is nested deeper than 128 levels: flatten it"));
        }
        if self.nodes + anchored.nodes > MAX_NODES {
            let problem = "the aliases of this document stand for more than 1,000,000 values";
            return Err(self.broken(span, problem));
        }
        self.nodes += anchored.nodes;
        Ok(Node {
            value: anchored.value.clone(),
            depth: anchored.depth,
        })
    }

    fn scalar(
        &self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        tag: Option<Cow<'t, Tag>>,
        span: Span,
    ) -> Result<Value, Broken> {
        let plain = |text: &str| {
            scalar::plain(text).map_err(|_| {
                self.broken(
                    span,
                    "JSON has no form for infinity and not-a-number: put it in quotes",
                )
            })
        };
        let core = tag.as_ref().filter(|tag| tag.is_yaml_core_schema());
        match (core.map(|tag| tag.suffix.as_str()), tag.is_some(), style) {
            (None, false, ScalarStyle::Plain) => plain(&text),
            (Some("int" | "float" | "bool" | "null"), ..) => plain(&text),
            (Some("binary"), ..) => self.binary(&text, span),
            _ => Ok(Value::String(text.into_owned())),
        }
    }

    /// `!!binary`: base64 of UTF-8 text, as JSON can hold no other bytes.
    fn binary(&self, text: &str, span: Span) -> Result<Value, Broken> {
        let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let decoded = base64(&digits).and_then(|bytes| String::from_utf8(bytes).ok());
        decoded
            .map(Value::String)
            .ok_or_else(|| self.broken(span, "`!!binary` holds no base64 of UTF-8 text"))
    }

    fn warn(&mut self, span: Span, message: String) {
        let position = self.position(span.start.line(), span.start.col());
        self.warnings.push(Warning {
            document: self.part.document,
            position,
            message,
        });
    }

    fn broken(&self, span: Span, message: &str) -> Broken {
        self.broken_at(self.position(span.start.line(), span.start.col()), message)
    }

    fn broken_at(&self, position: Position, message: &str) -> Broken {
        Broken {
            document: self.part.document,
            position,
            message: message.to_owned(),
        }
    }

    /// The parser counts lines from 1 and columns from 0.
    fn position(&self, line: usize, column: usize) -> Position {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX - 1);
        Position {
            line: self.part.first_line + count(line).max(1),
            column: count(column) + 1,
        }
    }
}

enum Key {
    Name(String),
    Merge,
}

/// kubectl refuses a tab in the indentation, where the parser lets some pass.
fn tabbed_lines(text: &str) -> HashSet<usize> {
    if !text.contains('\t') {
        return HashSet::new();
    }
    let indentation = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| line[..indentation(line)].contains('\t'))
        .map(|(n, _)| n)
        .collect()
}

/// The parser's words, with a remedy where people trip most.
fn problem(info: &str) -> String {
    let remedy = if info.contains("tab") {
        ": indent with spaces"
    } else {
        ""
    };
    format!("this is no YAML: {info}{remedy}")
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | u32::from(digit(byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        let part = Part {
            document: 0,
            first_line: 0,
            text,
        };
        parse(&part)
            .map(|document| document.value)
            .unwrap_or_else(|broken| panic!("{broken}"))
    }

    #[test]
    fn tags_quotes_and_merges_are_read_as_kubectl_reads_them() {
        for (text, expected) in [
            ("a: !!str 5", json!({"a": "5"})),
            ("a: !!binary aGk=", json!({"a": "hi"})),
            ("a: '5'", json!({"a": "5"})),
            ("a: !Ref 5", json!({"a": "5"})),
            ("0644: yes", json!({"420": true})),
            (
                "x: &x {a: 1, b: 2}\nz:\n  <<: *x\n  b: 3",
                json!({"x": {"a": 1, "b": 2}, "z": {"a": 1, "b": 3}}),
            ),
            ("a: 1\na: 2", json!({"a": 2})),
            ("a: |\n  b\n  c\n", json!({"a": "b\nc\n"})),
            ("a:\n", json!({"a": null})),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn a_double_key_is_warned_of() {
        let part = Part {
            document: 3,
            first_line: 10,
            text: "a: 1\na: 2\n",
        };
        let warnings = parse(&part)
            .map(|document| document.warnings)
            .unwrap_or_default();
        assert_eq!(
            warnings[0].position,
            Position {
                line: 12,
                column: 1
            }
        );
    }
}
