//! Formats of tokens, as data.
//!
//! `data/tokens.txt` holds them; its head says what a pattern may be. There is
//! one way to match, so that a match costs no more than its own length and
//! nothing has to be compiled.

use std::fmt;
use std::ops::Range;

use crate::Confidence;
use crate::shape;

/// The formats that are built in.
const TOKENS: &str = include_str!("../data/tokens.txt");

/// One format.
#[derive(Debug)]
pub(crate) struct Rule {
    /// What it is, with an article.
    pub(crate) title: &'static str,
    /// How sure a match is.
    pub(crate) confidence: Confidence,
    /// What the automaton looks for.
    pub(crate) keyword: String,
    before: Vec<Item>,
    after: Vec<Item>,
}

/// One sign, or a class of signs, so many times.
#[derive(Clone)]
struct Item {
    class: [u64; 2],
    least: usize,
    most: usize,
}

/// All formats, in the order of the file.
///
/// # Errors
///
/// With what a line of the file is not allowed to be.
pub(crate) fn built_in() -> Result<Vec<Rule>, String> {
    let lines = TOKENS.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(rule).collect()
}

fn rule(line: &'static str) -> Result<Rule, String> {
    let (pattern, title) = line
        .split_once(char::is_whitespace)
        .ok_or_else(|| format!("`{line}` has no title"))?;
    let title = title.trim();
    let (confidence, title) = match title.strip_prefix("medium ") {
        Some(title) => (Confidence::Medium, title),
        None => (Confidence::High, title),
    };
    let items = items(pattern)?;
    let keyword = keyword(&items).ok_or_else(|| format!("`{pattern}` has no keyword"))?;
    // What is before it is read backwards, and has to be as plain.
    let mut before = items[..keyword.start].windows(2);
    if before.any(|pair| pair[1].least != pair[1].most && pair[0].overlaps(&pair[1])) {
        return Err(format!("`{pattern}` can match in two ways backwards"));
    }
    Ok(Rule {
        title,
        confidence,
        keyword: items[keyword.clone()].iter().map(Item::sign).collect(),
        before: items[..keyword.start].iter().rev().cloned().collect(),
        after: items[keyword.end..].to_vec(),
    })
}

fn items(pattern: &str) -> Result<Vec<Item>, String> {
    let fault = |problem: &str| format!("`{pattern}` {problem}");
    let mut items: Vec<Item> = Vec::new();
    let mut rest = pattern.as_bytes();
    while let Some((&sign, tail)) = rest.split_first() {
        rest = tail;
        match sign {
            b'[' => {
                let end = rest.iter().position(|&b| b == b']');
                let end = end.ok_or_else(|| fault("has an open class"))?;
                items.push(Item::class(&rest[..end]));
                rest = &rest[end + 1..];
            }
            b'{' => {
                let end = rest.iter().position(|&b| b == b'}');
                let end = end.ok_or_else(|| fault("has an open repetition"))?;
                let last = items.last_mut().ok_or_else(|| fault("repeats nothing"))?;
                last.repeat(&rest[..end])
                    .ok_or_else(|| fault("repeats oddly"))?;
                rest = &rest[end + 1..];
            }
            b'\\' => {
                let (&sign, tail) = rest.split_first().ok_or_else(|| fault("ends in `\\`"))?;
                items.push(Item::one(sign));
                rest = tail;
            }
            b'.' | b'*' | b'+' | b'?' | b'(' | b'|' | b'^' | b'$' => {
                return Err(fault("holds a sign that is not understood"));
            }
            sign => items.push(Item::one(sign)),
        }
    }
    for pair in items.windows(2) {
        if pair[0].least != pair[0].most && pair[0].overlaps(&pair[1]) {
            return Err(fault("can match in two ways"));
        }
    }
    Ok(items)
}

/// The literal that a pattern begins with, if that is three signs long; else
/// its longest.
fn keyword(items: &[Item]) -> Option<Range<usize>> {
    let first = items.iter().take_while(|item| item.is_sign()).count();
    if first > 2 {
        return Some(0..first);
    }
    let mut best: Option<Range<usize>> = None;
    let mut start = 0;
    for index in 0..=items.len() {
        if items.get(index).is_some_and(Item::is_sign) {
            continue;
        }
        let length = index - start;
        if length > 1 && best.as_ref().is_none_or(|best| best.len() < length) {
            best = Some(start..index);
        }
        start = index + 1;
    }
    best
}

impl Rule {
    /// The token around a keyword at `hit`, if there is one: it stands alone,
    /// and is not made of a few signs as an example is. The number is how far
    /// it was looked: a keyword before that place starts no other token.
    pub(crate) fn matches(&self, text: &[u8], hit: &Range<usize>) -> (Option<Range<usize>>, usize) {
        if text[hit.clone()] != *self.keyword.as_bytes() {
            return (None, hit.end);
        }
        let mut start = hit.start;
        for item in &self.before {
            match item.count(text[..start].iter().rev()) {
                Ok(count) => start -= count,
                Err(_) => return (None, hit.end),
            }
        }
        if text[..start].last().is_some_and(is_word) {
            return (None, hit.end);
        }
        let mut end = hit.end;
        for item in &self.after {
            match item.count(text[end..].iter()) {
                Ok(count) => end += count,
                Err(count) => return (None, end + count),
            }
        }
        let is_alone = !text[end..].first().is_some_and(is_word);
        let is_token = is_alone && !shape::is_example(&text[start..end]);
        (is_token.then_some(start..end), end)
    }
}

fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

impl Item {
    fn one(sign: u8) -> Self {
        let mut item = Item {
            class: [0; 2],
            least: 1,
            most: 1,
        };
        item.add(sign);
        item
    }

    fn class(text: &[u8]) -> Self {
        let mut item = Item {
            class: [0; 2],
            least: 1,
            most: 1,
        };
        let mut index = 0;
        while index < text.len() {
            match text.get(index + 1..index + 3) {
                Some([b'-', last]) => {
                    (text[index]..=*last).for_each(|sign| item.add(sign));
                    index += 3;
                }
                _ => {
                    item.add(text[index]);
                    index += 1;
                }
            }
        }
        item
    }

    fn add(&mut self, sign: u8) {
        let sign = usize::from(sign & 127);
        self.class[sign / 64] |= 1 << (sign % 64);
    }

    fn has(&self, sign: u8) -> bool {
        sign < 128 && self.class[usize::from(sign) / 64] >> (sign % 64) & 1 == 1
    }

    fn overlaps(&self, other: &Item) -> bool {
        self.class[0] & other.class[0] != 0 || self.class[1] & other.class[1] != 0
    }

    fn repeat(&mut self, text: &[u8]) -> Option<()> {
        let text = std::str::from_utf8(text).ok()?;
        let (least, most) = text.split_once(',').unwrap_or((text, text));
        self.least = least.parse().ok()?;
        self.most = match most {
            "" => usize::MAX,
            most => most.parse().ok()?,
        };
        (self.least <= self.most).then_some(())
    }

    fn is_sign(&self) -> bool {
        (self.least, self.most) == (1, 1)
            && self.class[0].count_ones() + self.class[1].count_ones() == 1
    }

    fn sign(&self) -> char {
        let bits = match self.class {
            [0, high] => 64 + high.trailing_zeros(),
            [low, _] => low.trailing_zeros(),
        };
        char::from_u32(bits).unwrap_or_default()
    }

    /// How many of these signs are of the class; an error if not enough.
    fn count<'a>(&self, signs: impl Iterator<Item = &'a u8>) -> Result<usize, usize> {
        let count = signs.take(self.most).take_while(|sign| self.has(**sign));
        match count.count() {
            count if count < self.least => Err(count),
            count => Ok(count),
        }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.least, self.most)
    }
}

#[cfg(test)]
mod tests;
