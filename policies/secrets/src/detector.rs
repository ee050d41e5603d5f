//! The detector: what is built once, and the ways to ask it.

use std::fmt;

use crate::automaton::Automaton;
use crate::format::Format;
use crate::judge::{self, Case, Style};
use crate::moved::is_placeholder;
use crate::own::Patterns;
use crate::rules::{self, Rule};
use crate::scan::{BEGINNING, Scan};
use crate::{Confidence, Fault, Found, Kind, Options, base64, blob, name};

/// Finds secrets. Build it once: that takes milliseconds.
pub struct Detector {
    pub(crate) automaton: Automaton,
    pub(crate) rules: Vec<Rule>,
    pub(crate) names: Vec<String>,
    pub(crate) patterns: Option<Patterns>,
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Detector({} rules)", self.rules.len())
    }
}

impl Detector {
    /// Builds what searches need.
    ///
    /// # Errors
    ///
    /// With every option that cannot be used.
    pub fn new(options: &Options) -> Result<Detector, Vec<Fault>> {
        let fault = |path: &str, message: String| Fault {
            path: path.into(),
            message,
        };
        let rules = rules::built_in().map_err(|error| vec![fault("", error)])?;
        let mut faults = name_faults(&options.key_names);
        let patterns = Patterns::new(&options.patterns).unwrap_or_else(|found| {
            faults.extend(found);
            None
        });
        if !faults.is_empty() {
            return Err(faults);
        }
        let automaton = Automaton::new(&rules, &options.key_names);
        Ok(Detector {
            automaton: automaton.map_err(|error| vec![fault("/keyNames", error)])?,
            rules,
            names: options.key_names.clone(),
            patterns,
        })
    }

    /// Secrets in an entry of a ConfigMap: a value, or a whole file, under its key.
    pub fn entry(&self, key: &str, text: &str) -> Vec<Found> {
        if is_placeholder(text.as_bytes()) {
            return Vec::new();
        }
        let mut found = Scan::new(self, key, text).run(true);
        let value = text.trim();
        if !value.contains('\n') {
            let mut own = self.under(key, value);
            let is_variable = judge::is_plain_password(key.as_bytes(), value.as_bytes());
            let likely = own
                .as_mut()
                .filter(|own| own.kind == Kind::Password && is_variable);
            if let Some(own) = likely {
                own.confidence = Confidence::High;
            }
            add(&mut found, own);
        }
        found
    }

    /// Secrets in an entry of `binaryData`, in base64 as it stands there.
    pub fn binary(&self, key: &str, base64: &str) -> Vec<Found> {
        let signs = base64.bytes().filter(|byte| !byte.is_ascii_whitespace());
        let signs: Vec<u8> = signs.collect();
        match base64::decode(&signs) {
            Some(bytes) if is_placeholder(&bytes) => Vec::new(),
            Some(bytes) => self.bytes(key, bytes, true),
            None => Vec::new(),
        }
    }

    /// The secret in a value under a name: an environment variable, an HTTP
    /// header. The surest one, if there are several.
    pub fn literal(&self, name: &str, value: &str) -> Option<Found> {
        let mut found = Scan::new(self, "", value).of_format(Format::Data).run(true);
        let text = value.trim();
        if !text.contains('\n') {
            add(&mut found, self.under(name, text));
        }
        best(found)
    }

    /// Secrets in the words of a command, each with the index of its word:
    /// `--password=x`, `--token x`, `PGPASSWORD=x psql`, URLs, scripts.
    pub fn words(&self, words: &[&str]) -> Vec<(usize, Found)> {
        let mut all: Vec<(usize, Found)> = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let flag = words[..index].last().filter(|flag| is_flag(flag));
            let value = flag.filter(|_| !word.starts_with('-'));
            let named = value.and_then(|flag| self.under(flag.trim_start_matches('-'), word));
            let mut found = Scan::new(self, "", word).of_format(Format::Shell).run(true);
            if !word.contains('\n') {
                add(&mut found, named);
            }
            // No shell reads a word: what stops a shell is part of the value.
            if let Some((flag, value)) = word.split_once('=')
                && is_flag(flag)
                && (found.is_empty() || unquoted(value).contains(STOPS))
            {
                add(&mut found, self.under(flag.trim_start_matches('-'), value));
            }
            all.extend(found.into_iter().map(|found| (index, found)));
        }
        all
    }

    /// What a file is, or what its text holds.
    pub(crate) fn bytes(&self, key: &str, bytes: Vec<u8>, decodes: bool) -> Vec<Found> {
        if let Some((kind, confidence)) = blob::judge(&bytes) {
            return vec![Found {
                kind,
                confidence,
                at: None,
                name: None,
            }];
        }
        blob::text(bytes)
            .map(|text| Scan::new(self, key, &text).run(decodes))
            .unwrap_or_default()
    }

    /// A whole value under its name.
    fn under(&self, name: &str, value: &str) -> Option<Found> {
        let plain = name.strip_suffix(".txt").unwrap_or(name);
        let label = name::classify(plain.as_bytes(), &self.names)?;
        let case = Case {
            name: plain.as_bytes(),
            value: unquoted(value).as_bytes(),
            style: Style::Clean,
        };
        let (kind, confidence) = judge::judge(&label, &case)?;
        Some(Found {
            kind,
            confidence,
            at: Some(BEGINNING),
            name: None,
        })
    }
}

/// Where a shell ends a word.
const STOPS: [char; 12] = ['"', '\'', '<', '>', '&', ';', '|', '(', ')', '`', ' ', '\t'];

fn unquoted(value: &str) -> &str {
    let is_quoted =
        |sign: char| value.len() > 1 && value.starts_with(sign) && value.ends_with(sign);
    match is_quoted('"') || is_quoted('\'') {
        true => &value[1..value.len() - 1],
        false => value,
    }
}

/// `--token`, `-password`: the next word is its value.
fn is_flag(word: &str) -> bool {
    word.starts_with('-') && !word.contains('=') && word.len() > 2
}

/// The whole value counts once, whatever was found in it. Of a hash that was
/// found nothing more is said by its key.
fn add(found: &mut Vec<Found>, own: Option<Found>) {
    let Some(own) = own else {
        return;
    };
    match found.iter_mut().max_by_key(|found| found.confidence) {
        Some(known) if known.kind == Kind::PasswordHash || known.kind.is_half_public() => {}
        Some(known) => known.confidence = known.confidence.max(own.confidence),
        None => found.push(own),
    }
}

fn best(found: Vec<Found>) -> Option<Found> {
    found
        .into_iter()
        .reduce(|best, found| match found.confidence > best.confidence {
            true => found,
            false => best,
        })
}

fn name_faults(names: &[String]) -> Vec<Fault> {
    let is_name = |name: &str| name.bytes().filter(u8::is_ascii_alphanumeric).count() >= 3;
    let faults = names.iter().enumerate().filter(|(_, name)| !is_name(name));
    faults
        .map(|(index, name)| Fault {
            path: format!("/keyNames/{index}"),
            message: format!(
                "`{name}` is too short: write a name of at least three letters or digits"
            ),
        })
        .collect()
}
