//! One text, from its keywords to what is found in it.

use std::cell::OnceCell;
use std::ops::Range;

use crate::assign::{self, Leads, Sign, Value};
use crate::automaton::Mark;
use crate::format::{self, Format};
use crate::hit::{self, Hit};
use crate::judge::{self, Case, Style};
use crate::key::{self, Before, Key};
use crate::lines::Lines;
use crate::name::{self, Label, Strength};
use crate::value::Grade;
use crate::{At, Confidence, Detector, Found, Kind};
use crate::{base64, command, header, list, pair, pem, url, value};

/// The most findings of a text: whoever has more knows by then.
pub(crate) const MOST: usize = 100;

/// So many bytes of values are judged, and as many as the text has besides, before no more
/// than the beginnings are: values that hold one another cost the square.
const PLENTY: usize = 32 * 1024;
/// Bytes of such a beginning.
const LITTLE: usize = 32;

/// A search of one text.
pub(crate) struct Scan<'t> {
    detector: &'t Detector,
    text: &'t str,
    /// The name of the file, as its format may be told by it.
    file: &'t str,
    format: OnceCell<Format>,
    lines: Lines<'t>,
    hits: Vec<Hit>,
    /// Where the last name, list, JWK ended: nothing before it is looked at again.
    names_done: usize,
    lists_done: usize,
    keys_done: usize,
    /// Where the mark of the last data source name ended.
    drivers_done: usize,
    /// How many bytes of values were judged.
    judged: usize,
    /// The same for each rule; empty until one was looked at.
    rules_done: Vec<usize>,
}

impl<'t> Scan<'t> {
    pub(crate) fn new(detector: &'t Detector, file: &'t str, text: &'t str) -> Self {
        Scan {
            detector,
            text,
            file,
            format: OnceCell::new(),
            lines: Lines::new(text.as_bytes()),
            hits: Vec::new(),
            names_done: 0,
            lists_done: 0,
            keys_done: 0,
            drivers_done: 0,
            judged: 0,
            rules_done: Vec::new(),
        }
    }

    /// The same of a text whose format is known.
    pub(crate) fn of_format(self, format: Format) -> Self {
        let _ = self.format.set(format);
        self
    }

    /// Everything in the text; what base64 in it holds too, if `decodes`.
    pub(crate) fn run(mut self, decodes: bool) -> Vec<Found> {
        let detector = self.detector;
        detector.automaton.each(self.bytes(), |hit, mark| {
            self.mark(hit, mark);
            self.hits.len() < MOST
        });
        if decodes {
            self.decode();
        }
        self.own_patterns();
        self.resolve()
    }

    fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    fn format(&self) -> Format {
        *self.format.get_or_init(|| format::of(self.file, self.text))
    }

    fn push(&mut self, range: Range<usize>, kind: Kind, confidence: Confidence) {
        self.hits.push(Hit {
            range,
            kind,
            confidence,
            name: None,
        });
    }

    fn mark(&mut self, hit: &Range<usize>, mark: Mark) {
        let text = self.bytes();
        match mark {
            Mark::Name => self.name(hit),
            Mark::Rule(index) => self.rule(index, hit),
            Mark::Url | Mark::Driver => {
                let found = match mark {
                    Mark::Url => url::credentials(text, hit, self.format()),
                    _ => {
                        let from = std::mem::replace(&mut self.drivers_done, hit.end);
                        url::of_driver(text, hit, from, self.format())
                    }
                };
                if let Some((range, confidence)) =
                    found.filter(|_| !self.lines.is_comment(hit.start))
                {
                    self.push(range, Kind::UrlCredentials, confidence);
                }
            }
            Mark::Pem | Mark::Putty => {
                let found = match mark {
                    Mark::Pem => pem::private_key(text, hit),
                    _ => pem::putty_key(text, hit),
                };
                if let Some(range) = found {
                    self.push(range, Kind::PrivateKey, Confidence::High);
                }
            }
            Mark::JsonWebKey if hit.start >= self.keys_done => {
                let (found, end) = pem::json_web_key(text, hit);
                self.keys_done = end;
                if let Some(range) = found {
                    self.push(range, Kind::PrivateKey, Confidence::High);
                }
            }
            Mark::JsonWebKey => {}
            Mark::Hash => {
                let end = hit.start + header::word_length(&text[hit.start..]);
                if value::is_hash(&text[hit.start..end]) {
                    self.push(hit.start..end, Kind::PasswordHash, Confidence::Low);
                }
            }
            Mark::Scheme => {
                let found = header::credentials(text, hit, self.format());
                if let Some((range, confidence)) = found {
                    self.push(range, Kind::Authorization, confidence);
                }
            }
            Mark::Identified => {
                let found = command::identified_by(text, hit);
                if let Some((range, confidence)) =
                    found.filter(|_| !self.lines.is_comment(hit.start))
                {
                    self.push(range, Kind::Password, confidence);
                }
            }
            Mark::Program => {
                let found = command::short_flag(text, hit);
                if let Some((range, confidence)) =
                    found.filter(|_| !self.lines.is_comment(hit.start))
                {
                    self.push(range, Kind::Password, confidence);
                }
            }
        }
    }

    fn rule(&mut self, index: usize, hit: &Range<usize>) {
        self.rules_done.resize(self.detector.rules.len(), 0);
        if hit.start < self.rules_done[index] {
            return;
        }
        let rule = &self.detector.rules[index];
        let (found, end) = rule.matches(self.bytes(), hit);
        self.rules_done[index] = end;
        if let Some(range) = found {
            self.push(range, Kind::Format(rule.title), rule.confidence);
        }
    }

    fn name(&mut self, hit: &Range<usize>) {
        if hit.start < self.names_done {
            return;
        }
        let text = self.bytes();
        let Some(key) = key::around(text, hit) else {
            return;
        };
        self.names_done = key.name.end;
        let Some(label) = name::classify(&text[key.name.clone()], &self.detector.names) else {
            return;
        };
        if self.lines.is_comment(key.name.start) {
            return;
        }
        match assign::leads(text, &key) {
            _ if key.before == Before::Value || is_element_text(text, &key) => {
                self.pair(&key, &label)
            }
            Some(Leads::To(value)) => self.value(&key, &label, &value),
            Some(Leads::Into(start)) if list::is_readable(&key) => self.list(&key, &label, start),
            _ => {}
        }
    }

    fn value(&mut self, key: &Key, label: &Label, value: &Value) {
        // `<user>:<password>@host`
        if value.sign == Sign::Element && self.bytes()[value.range.start] == b'@' {
            return;
        }
        if let Some(style) = judge::style(self.format(), key.before, value) {
            self.judge(key, label, value, style);
        }
    }

    fn judge(&mut self, key: &Key, label: &Label, value: &Value, style: Style) {
        let text = self.bytes();
        let case = Case {
            name: &text[key.name.clone()],
            value: self.affordable(&value.range),
            style,
        };
        if let Some((kind, confidence)) = judge::judge(label, &case) {
            self.hits.push(Hit {
                range: value.range.clone(),
                kind,
                confidence,
                name: is_plain_key(key).then(|| key.name.clone()),
            });
        }
    }

    /// What is judged of a value: all of it, but for texts whose values hold one
    /// another, as none does that anybody wrote.
    fn affordable(&mut self, range: &Range<usize>) -> &'t [u8] {
        let text = self.bytes();
        let length = match self.judged > PLENTY + text.len() {
            true => range.len().min(LITTLE),
            false => range.len(),
        };
        self.judged += length;
        &text[range.start..range.start + length]
    }

    /// The name stands where a value does: what it names may stand beside it.
    fn pair(&mut self, key: &Key, label: &Label) {
        let text = self.bytes();
        if let Some(value) = pair::value(text, key) {
            let style = match self.format() {
                Format::Data => Style::Clean,
                _ => Style::Loose,
            };
            self.judge(key, label, &value, style);
        } else if let Some(Leads::To(value)) = assign::leads(text, key) {
            self.value(key, label, &value);
        }
    }

    fn list(&mut self, key: &Key, label: &Label, start: usize) {
        if self.format() != Format::Data {
            return;
        }
        let is_inside = start < self.lists_done;
        let (items, end) = list::items(self.bytes(), key, start, is_inside);
        self.lists_done = self.lists_done.max(end);
        for item in items {
            let is_random =
                || value::grade(&self.bytes()[item.value.range.clone()]) == Grade::Random;
            if self.hits.len() >= MOST {
                return;
            }
            if item.is_bytes && label.strength > Strength::Weak {
                self.push(item.value.range, label.kind.clone(), Confidence::High);
            } else if item.is_own {
                self.judge(key, label, &item.value, Style::Clean);
            } else if is_random() {
                self.judge(key, label, &item.value, Style::Loose);
            }
        }
    }

    fn decode(&mut self) {
        let text = self.bytes();
        if let Some(run) = base64::wrapped(self.text) {
            let decoded = base64::decode(&run);
            let found = decoded.map(|bytes| self.detector.bytes(self.file, bytes, false));
            self.adopt(0..text.len(), found.unwrap_or_default());
            return;
        }
        for run in base64::runs(text) {
            if self.hits.len() >= MOST {
                return;
            }
            if let Some(decoded) = base64::decode_text(&text[run.clone()]) {
                let found = Scan::new(self.detector, "", &decoded).run(false);
                self.adopt(run, found);
            }
        }
    }

    /// What was found in a part of the text that was decoded.
    fn adopt(&mut self, range: Range<usize>, found: Vec<Found>) {
        let best = found.into_iter().max_by_key(|found| found.confidence);
        if let Some(found) = best {
            self.push(range, found.kind, found.confidence);
        }
    }

    fn own_patterns(&mut self) {
        let Some(patterns) = &self.detector.patterns else {
            return;
        };
        let room = MOST.saturating_sub(self.hits.len());
        for (range, kind, confidence) in patterns.matches(self.text).take(room) {
            self.push(range, kind, confidence);
        }
    }

    fn resolve(self) -> Vec<Found> {
        hit::resolve(self.hits, self.text)
    }
}

/// Whether the key stands where only keys stand, so that its name is no part
/// of a value.
fn is_plain_key(key: &Key) -> bool {
    matches!(key.before, Before::Line | Before::Flow | Before::Tag)
}

/// `<name>db.password</name>`
fn is_element_text(text: &[u8], key: &Key) -> bool {
    key.before == Before::Word && text[key.name.end..].starts_with(b"</")
}

/// The place of a text that is meant as a whole.
pub(crate) const BEGINNING: At = At { line: 1, column: 1 };
