//! Reads YAML and JSON manifests as kubectl does, and knows where each value
//! lies.
//!
//! Text in, objects out: no files, no cluster. Scalars become what
//! `sigs.k8s.io/yaml` makes of them, because a policy that reads `0644`
//! otherwise than the API server would judge another object.
//!
//! [`read`] never fails as a whole: what cannot be read is a [`Broken`] with
//! its place, and the rest of the stream goes on.

mod document;
mod locate;
mod scalar;
mod split;
mod within;

use std::cell::LazyCell;
use std::sync::Arc;

use serde_json::Value;

/// A place in a file: line and column from 1, columns in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// Where a value stands on its first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Its first character.
    pub start: Position,
    /// How many characters of it are on that line; at least 1.
    pub width: u32,
}

/// One object of a stream.
#[derive(Debug, Clone)]
pub struct Object {
    /// The object: a map with `apiVersion` and `kind`.
    pub value: Value,
    /// Index of its document in the stream, from 0.
    pub document: usize,
    /// Index in the `items` of a List, from 0.
    pub item: Option<usize>,
    /// Line of its document's first line, from 0.
    first_line: u32,
    /// Its document.
    text: Arc<str>,
}

/// Why a document was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Skip {
    /// A map without `apiVersion` and `kind`: values, a compose file.
    NotAManifest,
    /// A template of Helm or another engine.
    Template,
    /// A scalar or a list.
    NotAnObject,
    /// A `Kustomization` or a `Component`: input of kustomize, not an object.
    Kustomization,
}

impl Skip {
    /// Stable, kebab-case.
    pub fn code(self) -> &'static str {
        match self {
            Skip::NotAManifest => "not-a-manifest",
            Skip::Template => "template",
            Skip::NotAnObject => "not-an-object",
            Skip::Kustomization => "kustomization",
        }
    }
}

/// A document that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Index of the document.
    pub document: usize,
    /// Its first line, from 1.
    pub line: u32,
    /// Why.
    pub skip: Skip,
}

/// A document, or an item of one, that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Broken {
    /// Index of the document.
    pub document: usize,
    /// Where.
    pub position: Position,
    /// What is wrong, one line.
    pub message: String,
}

/// Something legal that is rarely meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Index of the document.
    pub document: usize,
    /// Where.
    pub position: Position,
    /// What it is, one line.
    pub message: String,
}

/// All that a text holds.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// What can be judged, in order.
    pub objects: Vec<Object>,
    /// What was passed over.
    pub skipped: Vec<Skipped>,
    /// What could not be read.
    pub broken: Vec<Broken>,
    /// What is rarely meant.
    pub warnings: Vec<Warning>,
}

/// Reads a stream of YAML or JSON documents.
///
/// Documents are counted from 0 as YAML counts them: every `---` starts one,
/// and so does content before the first; a document of comments alone counts
/// but holds nothing.
pub fn read(text: &[u8]) -> Stream {
    let mut stream = Stream::default();
    match split::documents(text) {
        Ok(documents) => {
            for part in documents {
                stream.read_part(&part);
            }
        }
        Err(broken) => stream.broken.push(broken),
    }
    stream
}

/// Reads one document, whatever it holds.
///
/// # Errors
///
/// Text that is no YAML, or that holds several documents.
pub fn parse_document(text: &[u8]) -> Result<Value, Broken> {
    let documents = split::documents(text)?;
    let mut read = documents.iter().filter(|part| !part.is_blank());
    let broken = |message: &str| Broken {
        document: 0,
        position: Position { line: 1, column: 1 },
        message: message.to_owned(),
    };
    let part = read.next().ok_or_else(|| broken("it is empty"))?;
    if read.next().is_some() {
        return Err(broken("it holds several documents: expected one"));
    }
    document::parse(part).map(|document| document.value)
}

impl Stream {
    fn read_part(&mut self, part: &split::Part<'_>) {
        if part.is_blank() {
            return;
        }
        match document::parse(part) {
            Ok(document) => {
                self.warnings.extend(document.warnings);
                if !document.value.is_null() {
                    self.take(part, document.value);
                }
            }
            // A template is no YAML before it is rendered.
            Err(_) if part.text.contains("{{") => self.skip(part, Skip::Template),
            Err(broken) => self.broken.push(broken),
        }
    }

    fn skip(&mut self, part: &split::Part<'_>, skip: Skip) {
        let line = part.first_line + 1;
        self.skipped.push(Skipped {
            document: part.document,
            line,
            skip,
        });
    }

    fn take(&mut self, part: &split::Part<'_>, value: Value) {
        let Value::Object(map) = &value else {
            return self.skip(part, Skip::NotAnObject);
        };
        if !map.contains_key("apiVersion") || !map.contains_key("kind") {
            return self.skip(part, Skip::NotAManifest);
        }
        let whole = Object {
            value,
            document: part.document,
            item: None,
            first_line: part.first_line,
            text: Arc::from(part.text),
        };
        match identify(&whole.value) {
            Err(problem) => self.refuse(&whole, problem),
            Ok((_, "Kustomization" | "Component"))
                if whole.api_version().starts_with("kustomize.config.k8s.io/") =>
            {
                self.skip(part, Skip::Kustomization);
            }
            Ok((_, kind)) if kind.ends_with("List") && whole.value.get("items").is_some() => {
                self.take_items(&whole);
            }
            Ok(_) => self.objects.push(whole),
        }
    }

    fn take_items(&mut self, list: &Object) {
        let Some(items) = list.value.get("items").and_then(Value::as_array) else {
            return self.refuse(list, "`items` is no list".into());
        };
        // Read once for all that is broken: a list may be long.
        let places = LazyCell::new(|| locate::elements(&list.text, "items"));
        for (index, item) in items.iter().enumerate() {
            match identify(item) {
                Ok(_) => self.objects.push(Object {
                    value: item.clone(),
                    document: list.document,
                    item: Some(index),
                    first_line: list.first_line,
                    text: Arc::clone(&list.text),
                }),
                Err(problem) => {
                    let mut position = match places.get(index) {
                        Some(place) => *place,
                        // An alias stands for the list.
                        None => locate::locate(&list.text, &["items".to_owned()]).start,
                    };
                    position.line += list.first_line;
                    let message = format!("item {index} of the list: {problem}");
                    self.refuse_at(list.document, position, message);
                }
            }
        }
    }

    fn refuse(&mut self, object: &Object, message: String) {
        self.refuse_at(object.document, object.position(""), message);
    }

    fn refuse_at(&mut self, document: usize, position: Position, message: String) {
        self.broken.push(Broken {
            document,
            position,
            message,
        });
    }
}

/// `apiVersion` and `kind` of an object.
fn identify(value: &Value) -> Result<(&str, &str), String> {
    let member = |name: &str| match value.get(name).and_then(Value::as_str) {
        Some("") | None => Err(format!("`{name}` is missing or no text: write it as text")),
        Some(text) => Ok(text),
    };
    Ok((member("apiVersion")?, member("kind")?))
}

impl Object {
    /// Its `apiVersion`.
    pub fn api_version(&self) -> &str {
        self.value
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Its `kind`.
    pub fn kind(&self) -> &str {
        self.value
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Where the value at a JSON Pointer stands; where there is none, the
    /// nearest that would hold it.
    pub fn position(&self, pointer: &str) -> Position {
        self.extent(pointer).start
    }

    /// The same, with its width on that line.
    ///
    /// The document is read anew: few objects are ever asked.
    pub fn extent(&self, pointer: &str) -> Extent {
        let mut extent = locate::locate(&self.text, &self.tokens(pointer));
        extent.start.line += self.first_line;
        extent
    }

    /// Where a place inside the text at a JSON Pointer stands: `at` counts
    /// within the text, from 1. None where that cannot be told for sure: the
    /// text is not there, is written with escapes, or elsewhere (an alias).
    pub fn inside(&self, pointer: &str, at: Position) -> Option<Position> {
        let scalar = locate::written(&self.text, &self.tokens(pointer))?;
        if self.value.pointer(pointer)?.as_str()? != scalar.text {
            return None;
        }
        let mut found = within::locate(&self.text, &scalar, at)?;
        found.line += self.first_line;
        Some(found)
    }

    /// From where to where the value at a JSON Pointer stands, quotes and
    /// brackets included: its first place, and the first after it. None where
    /// it does not stand there (a merge key).
    pub fn span(&self, pointer: &str) -> Option<(Position, Position)> {
        let (mut start, mut end) = locate::span(&self.text, &self.tokens(pointer))?;
        start.line += self.first_line;
        end.line += self.first_line;
        Some((start, end))
    }

    /// The way from the document to what a pointer into the object means.
    fn tokens(&self, pointer: &str) -> Vec<String> {
        let unescape = |token: &str| token.replace("~1", "/").replace("~0", "~");
        let item = self
            .item
            .map(|index| ["items".to_owned(), index.to_string()]);
        let item = item.into_iter().flatten();
        item.chain(pointer.split('/').skip(1).map(unescape))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The documents that objects stand in, and their kinds.
    fn found(stream: &Stream) -> Vec<(usize, &str)> {
        let objects = stream.objects.iter();
        objects.map(|one| (one.document, one.kind())).collect()
    }

    /// Found by a fuzzer: each item was looked for from the beginning, and the
    /// list was copied for each.
    #[test]
    fn a_long_list_of_what_is_broken_is_read_once() {
        let mut text = "apiVersion: v1\nkind: List\nitems:\n".to_owned();
        text.push_str(&"- a\n".repeat(20_000));
        text.push_str("- {apiVersion: v1, kind: A}\n");
        let started = std::time::Instant::now();
        let stream = read(text.as_bytes());
        assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
        assert_eq!((stream.broken.len(), stream.objects.len()), (20_000, 1));
        let last = &stream.broken[19_999];
        let place = Position {
            line: 20_003,
            column: 3,
        };
        assert_eq!(last.position, place, "{last:?}");
        assert_eq!(stream.objects[0].position("/kind").line, 20_004);
        let aliased = "---\n# c\napiVersion: v1\nkind: List\nx: &l [a, b]\nitems: *l\n";
        let stream = read(aliased.as_bytes());
        let lines: Vec<u32> = stream.broken.iter().map(|one| one.position.line).collect();
        assert_eq!(lines, [6, 6], "{:?}", stream.broken);
    }

    #[test]
    fn documents_are_counted_as_yaml_counts_them() {
        let text =
            "# first\n---\napiVersion: v1\nkind: A\n---\n# nothing\n---\napiVersion: v1\nkind: B\n";
        let stream = read(text.as_bytes());
        assert_eq!(found(&stream), [(0, "A"), (2, "B")]);
    }

    #[test]
    fn a_broken_document_does_not_stop_the_rest() {
        let text = "apiVersion: v1\nkind: A\n---\na: [\nb: }\n---\napiVersion: v1\nkind: B\n";
        let stream = read(text.as_bytes());
        assert_eq!(stream.objects.len(), 2);
        assert_eq!(stream.broken.len(), 1);
        assert_eq!(stream.broken[0].document, 1);
        assert!(stream.broken[0].position.line >= 4, "{:?}", stream.broken);
    }

    #[test]
    fn lists_are_taken_apart_and_keep_their_places() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n- apiVersion: v1\n  kind: B\n  spec: {x: 1}\n- kind: C\n";
        let stream = read(text.as_bytes());
        assert_eq!(stream.objects.len(), 2);
        assert_eq!(stream.objects[1].item, Some(1));
        assert_eq!(
            stream.objects[1].position("/spec/x"),
            Position {
                line: 8,
                column: 13
            }
        );
        assert!(
            stream.broken[0].message.contains("item 2"),
            "{:?}",
            stream.broken
        );
    }

    #[test]
    fn places_are_found_and_missing_ones_fall_back() {
        let text = "---\r\napiVersion: v1\r\nkind: A\r\nspec:\r\n  list:\r\n  - name: \"ä\"\r\n    image: b\r\n";
        let object = &read(text.as_bytes()).objects[0];
        assert_eq!(
            object.position("/spec/list/0/image"),
            Position {
                line: 7,
                column: 12
            }
        );
        assert_eq!(
            object.position("/spec/list/0/limits/cpu"),
            Position { line: 6, column: 5 }
        );
        assert_eq!(object.position("/absent"), Position { line: 2, column: 1 });
        assert_eq!(object.extent("/spec/list/0/name").width, 3);
    }

    #[test]
    fn what_is_no_manifest_is_passed_over_with_its_reason() {
        for (text, skip) in [
            ("a: 1\n", Skip::NotAManifest),
            ("- 1\n", Skip::NotAnObject),
            ("{{- if .Values.x }}\na: b\n{{- end }}\n", Skip::Template),
            ("name: {{ .Values.x }}\n", Skip::Template),
            (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
                Skip::Kustomization,
            ),
        ] {
            let stream = read(text.as_bytes());
            assert_eq!(stream.skipped.first().map(|s| s.skip), Some(skip), "{text}");
        }
    }

    #[test]
    fn templates_inside_strings_are_plain_text() {
        let text = "apiVersion: v1\nkind: A\ndata:\n  a: \"{{ .x }}\"\n  b: |\n    {{ y }}\n";
        assert_eq!(read(text.as_bytes()).objects.len(), 1);
    }

    #[test]
    fn json_is_read_like_yaml_and_may_follow_itself() {
        let text =
            "{\"apiVersion\":\"v1\",\"kind\":\"A\"}\n{\"apiVersion\":\"v1\",\n \"kind\":\"B\"}\n";
        let stream = read(text.as_bytes());
        assert_eq!(found(&stream), [(0, "A"), (1, "B")]);
        assert_eq!(
            stream.objects[1].position("/kind"),
            Position { line: 3, column: 9 }
        );
    }

    #[test]
    fn hostile_text_is_broken_and_costs_little() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..12 {
            let before = vec![format!("*a{}", n - 1); 10].join(",");
            bomb.push_str(&format!("a{n}: &a{n} [{before}]\n"));
        }
        let deep = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
        for text in [
            bomb.as_str(),
            &deep,
            "a: *b\n",
            "a: &a [*a]\n",
            "? [a]\n: b\n",
            "\ta: b\n",
            "a: .inf\n",
        ] {
            let stream = read(text.as_bytes());
            let start: String = text.chars().take(20).collect();
            assert_eq!(stream.broken.len(), 1, "{start}: {stream:?}");
        }
        assert_eq!(read(b"\xff\xfea\0").broken.len(), 1);
        assert_eq!(read(b"a: \xff").broken.len(), 1);
    }

    #[test]
    fn mutated_text_never_panics() {
        let seed = "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: A, m: &x {k: 'v'}}]\n---\na: |\n  b\n<<: *x\n";
        let mut state = 7_u64;
        for _ in 0..20_000 {
            let mut text = seed.as_bytes().to_vec();
            for _ in 0..4 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let at = usize::try_from(state >> 33).expect("31 bits") % text.len();
                text[at] = b"{}[]:-&*!|>'\"%@`#,?\n \t~x01"
                    [usize::try_from(state >> 7 & 0xff).expect("a byte") % 26];
            }
            for object in read(&text).objects {
                object.extent("/items/0/m/k");
            }
        }
    }

    #[test]
    fn one_document_is_parsed_as_it_is() {
        assert_eq!(
            parse_document(b"a: [1, yes]\n").expect("parses"),
            json!({"a": [1, true]})
        );
        assert!(parse_document(b"").is_err());
        assert!(parse_document(b"a: 1\n---\nb: 2\n").is_err());
    }
}
