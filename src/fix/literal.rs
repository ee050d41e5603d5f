//! Literals of containers: environment, command and arguments.

use std::collections::BTreeMap;

use portcullis_contract::pod::PodView;
use portcullis_contract::pointer;
use portcullis_relocation::names;
use serde_json::{Value, json};

use super::consumers::CONTAINERS;
use super::{Change, Fix};
use crate::finding::Identity;

/// What takes the place of the literals at these paths; None where there are
/// none that a Secret could.
pub(super) fn fix(view: &PodView<'_>, who: &Identity, paths: &[&str]) -> Option<Fix> {
    let mut fixing = Fixing {
        secret: names::advised(&who.name),
        who,
        keys: BTreeMap::new(),
        changes: vec![],
        notes: vec![],
    };
    for path in paths {
        let below = path.strip_prefix(view.path)?;
        let tokens: Vec<String> = pointer::tokens(below).collect();
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let ["spec", list, index, rest @ ..] = &tokens[..] else {
            continue;
        };
        let place = format!("{}/spec/{list}/{index}", view.path);
        let container = view.template.pointer(&format!("/spec/{list}/{index}"));
        let Some(container) = container.filter(|_| CONTAINERS.contains(list)) else {
            continue;
        };
        match rest {
            ["env", entry, "value"] => fixing.env(&place, container, entry),
            ["args" | "command", word] => fixing.word(&place, container, (rest[0], word), paths),
            _ => {}
        }
    }
    let Fixing {
        secret,
        keys,
        changes,
        notes,
        ..
    } = fixing;
    let entries = keys.into_keys().map(|key| (key, "stringData")).collect();
    Some(Fix {
        secret: super::secret(&secret, who, &entries)?,
        changes,
        example: None,
        notes,
        config_map: None,
    })
}

struct Fixing<'a> {
    secret: String,
    who: &'a Identity,
    /// The keys of the Secret, each with the value that it is for.
    keys: BTreeMap<String, &'a str>,
    changes: Vec<Change>,
    notes: Vec<String>,
}

impl<'a> Fixing<'a> {
    fn env(&mut self, place: &str, container: &'a Value, entry: &str) {
        let path = format!("{place}/env/{entry}");
        let env = container.pointer(&format!("/env/{entry}"));
        let member = |name: &str| env.and_then(|env| env[name].as_str());
        let (Some(name), Some(value)) = (member("name"), member("value")) else {
            return;
        };
        let variable = self.variable(name, name, value);
        self.change(path, variable);
    }

    /// An argument takes its value from the environment: kubelet puts it in
    /// the place of `$(NAME)`.
    fn word(&mut self, place: &str, container: &'a Value, at: (&str, &str), paths: &[&str]) {
        let (member, index) = at;
        let path = format!("{place}/{member}/{index}");
        let words = &container[member];
        let word = |index: usize| words.get(index).and_then(Value::as_str);
        let Some((index, text)) = index.parse().ok().and_then(|i| Some((i, word(i)?))) else {
            return;
        };
        let is_found = |at: &usize| paths.contains(&format!("{place}/{member}/{at}").as_str());
        let before = usize::checked_sub(index, 1).filter(|at| !is_found(at));
        let Word {
            name,
            value,
            rewritten,
        } = Word::of(text, before.and_then(word));
        let key = name.clone();
        let name = self.free(name, place, container);
        let env = self.variable(&name, &key, value);
        self.change(format!("{place}/env/-"), env);
        match rewritten {
            Some(before) => self.change(path, format!("{before}$({name})").into()),
            None => self.notes.push(format!(
                "write `$({name})` where the value stands in {}, in a shell `\"${name}\"`",
                pointer::field_path(&path)
            )),
        }
    }

    /// The name, or the first one like it that the container does not have.
    fn free(&self, name: String, place: &str, container: &Value) -> String {
        let is_taken = |name: &str| {
            let list = container["env"].as_array().into_iter().flatten();
            let added = self
                .changes
                .iter()
                .filter(|change| change.path.starts_with(place));
            let added = added.map(|change| &change.value);
            list.chain(added)
                .any(|env| env["name"].as_str() == Some(name))
        };
        let others = (2..).map(|n| format!("{name}_{n}"));
        let mut candidates = std::iter::once(name.clone()).chain(others);
        candidates.find(|name| !is_taken(name)).unwrap_or_default()
    }

    /// An environment variable that is read from the Secret. Two containers
    /// may have other values under one name.
    fn variable(&mut self, name: &str, key: &str, value: &'a str) -> Value {
        let is_free = |keys: &BTreeMap<String, &str>, key: &str| {
            keys.get(key).is_none_or(|known| *known == value)
        };
        let candidates = (2..).map(|n| format!("{key}_{n}"));
        let mut candidates = std::iter::once(key.to_owned()).chain(candidates);
        let key = candidates
            .find(|key| is_free(&self.keys, key))
            .unwrap_or_default();
        self.keys.insert(key.clone(), value);
        json!({"name": name,
            "valueFrom": {"secretKeyRef": {"name": self.secret, "key": key}}})
    }

    fn change(&mut self, path: String, value: Value) {
        let object = self.who.clone();
        let change = Change {
            object,
            path,
            value,
        };
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }
}

/// A word of a command that holds a secret.
struct Word<'a> {
    /// A name for it.
    name: String,
    value: &'a str,
    /// What stays of the word before the value; None where that is not known.
    rewritten: Option<String>,
}

impl<'a> Word<'a> {
    /// `before` is the word before it, unless that holds a secret itself.
    fn of(text: &'a str, before: Option<&str>) -> Word<'a> {
        let is_one = |value: &str| !value.contains(char::is_whitespace);
        match (flag(text), before) {
            (Some((flag, value)), _) if is_one(value) => Word {
                name: variable(flag),
                value,
                rewritten: Some(format!("{flag}=")),
            },
            (None, Some(flag)) if is_flag(flag) && is_one(text) => Word {
                name: variable(flag),
                value: text,
                rewritten: Some(String::new()),
            },
            // A script, or something else that only its author can take apart.
            _ => Word {
                name: "SECRET".to_owned(),
                value: text,
                rewritten: None,
            },
        }
    }
}

/// `--name` and what follows its `=`. Of a single dash nobody knows where the
/// name ends: `-ppassword`.
fn flag(word: &str) -> Option<(&str, &str)> {
    word.split_once('=').filter(|(flag, _)| is_flag(flag))
}

fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix("--").unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(is_plain)
}

/// The name of an environment variable for a flag: `DB_PASSWORD`.
fn variable(flag: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    flag.trim_start_matches('-').chars().map(letter).collect()
}
