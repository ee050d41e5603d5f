//! What the name of a key promises.

use crate::Kind;
use crate::names::{
    APP_SECRETS, COMPOUNDS, KEYS, LABELS, NO_KEYS, NO_SECRETS, NO_TOKENS, NOT_BEFORE, PASSES, TAILS,
};

/// What a name says of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) kind: Kind,
    pub(crate) strength: Strength,
    /// Its value may as well be the name of an object that holds the secret.
    pub(crate) may_name_object: bool,
}

/// How much a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// A value that is hard to guess is likely a secret.
    Weak,
    /// A value that is hard to guess is a secret.
    Fair,
    /// Whatever is no flag, path or reference is a secret.
    Strong,
}

/// The most words of a name that are looked at, from its end.
const MAX_WORDS: usize = 8;
/// The longest name that is one, in bytes.
pub(crate) const MAX_BYTES: usize = 128;

/// A name in words: `apiKey`, `API_KEY` and `api-key` are `api` and `key`.
pub(crate) struct Words {
    text: [u8; MAX_BYTES],
    ends: [(u8, u8); MAX_WORDS],
    count: usize,
}

impl Words {
    /// The last words of a name. Empty if it is too long to be one.
    pub(crate) fn of(name: &[u8]) -> Self {
        let mut words = Words {
            text: [0; MAX_BYTES],
            ends: [(0, 0); MAX_WORDS],
            count: 0,
        };
        if name.len() > MAX_BYTES {
            return words;
        }
        for (to, from) in words.text.iter_mut().zip(name) {
            *to = from.to_ascii_lowercase();
        }
        let mut end = name.len();
        while end > 0 && words.count < MAX_WORDS {
            let start = start_of_word(name, end);
            if start < end {
                let range = (start as u8, end as u8);
                words.ends[words.count] = range;
                words.count += 1;
            }
            end = start;
            while end > 0 && !name[end - 1].is_ascii_alphanumeric() {
                end -= 1;
            }
        }
        words
    }

    /// The word at `index`, counted from the end.
    fn back(&self, index: usize) -> &str {
        let range = self.ends[..self.count].get(index);
        let bytes = range.map_or(&[][..], |(start, end)| {
            &self.text[usize::from(*start)..usize::from(*end)]
        });
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn any(&self, from: usize, list: &[&str]) -> bool {
        (from..self.count).any(|index| list.contains(&self.back(index)))
    }
}

/// Where the word that ends at `end` begins.
fn start_of_word(name: &[u8], end: usize) -> usize {
    let mut start = end;
    while start > 0 {
        let (sign, next) = (name[start - 1], name.get(start).filter(|_| start < end));
        let is_break = match next {
            _ if !sign.is_ascii_alphanumeric() => true,
            Some(next) if next.is_ascii_uppercase() => {
                // `apiKey`, and `APIKey` before its last capital.
                let small = name.get(start + 1).filter(|_| start + 1 < end);
                !sign.is_ascii_uppercase() || small.is_some_and(u8::is_ascii_lowercase)
            }
            _ => false,
        };
        if is_break {
            break;
        }
        start -= 1;
    }
    start
}

/// What a name promises; None if no secret stands under it.
pub(crate) fn classify(name: &[u8], own: &[String]) -> Option<Label> {
    if !own.is_empty() && is_own(name, own) {
        return Some(label(Kind::Secret, Strength::Strong));
    }
    let words = Words::of(name);
    let mut head = 0;
    while head + 1 < words.count && is_tail(words.back(head)) {
        head += 1;
    }
    let word = words
        .back(head)
        .trim_end_matches(|sign: char| sign.is_ascii_digit());
    let found = by_word(word, &words, head).or_else(|| by_compound(word))?;
    let is_asked = words.any(head + 1, &NOT_BEFORE);
    (!is_asked).then_some(found)
}

fn is_tail(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit()) || TAILS.contains(&word)
}

fn label(kind: Kind, strength: Strength) -> Label {
    Label {
        kind,
        strength,
        may_name_object: false,
    }
}

fn by_word(word: &str, words: &Words, head: usize) -> Option<Label> {
    use Strength::{Fair, Strong, Weak};
    let before = words.back(head + 1);
    Some(match word {
        "password" | "passwd" | "pwd" | "passphrase" | "passcode" | "passwort" | "kennwort"
        | "wachtwoord" | "contrasena" | "senha" => label(Kind::Password, Strong),
        "pass" | "pw" if !PASSES.contains(&before) => label(Kind::Password, Strong),
        "passwords" | "passphrases" => label(Kind::Password, Fair),
        "pin" | "passkey" => label(Kind::Password, Fair),
        "secret" => secret(words, head)?,
        "psk" => label(Kind::Secret, Strong),
        "salt" => label(Kind::Secret, Weak),
        "secrets" | "credential" | "credentials" | "cred" | "creds" | "mnemonic" => {
            if words.any(head + 1, &NO_SECRETS) {
                return None;
            }
            label(Kind::Secret, Fair)
        }
        "token" | "tokens" if !words.any(head + 1, &NO_TOKENS) => {
            let strength = if before.is_empty() { Fair } else { Strong };
            label(Kind::Token, strength)
        }
        "key" | "keys" => key(words, head)?,
        "id" if before == "secret" => label(Kind::Secret, Fair),
        "code" if matches!(before, "access" | "pass" | "invite" | "pairing") => {
            label(Kind::Secret, Strong)
        }
        "auth" => label(Kind::Secret, Weak),
        "authorization" => label(Kind::Authorization, Weak),
        "community" if before.is_empty() || before == "snmp" => label(Kind::Secret, Fair),
        _ => return None,
    })
}

fn secret(words: &Words, head: usize) -> Option<Label> {
    let before = words.back(head + 1);
    if words.any(head + 1, &NO_SECRETS) {
        return None;
    }
    let is_app = words.any(head + 1, &APP_SECRETS);
    Some(Label {
        kind: Kind::Secret,
        strength: if is_app {
            Strength::Strong
        } else {
            Strength::Fair
        },
        may_name_object: before.is_empty() || !is_app,
    })
}

fn key(words: &Words, head: usize) -> Option<Label> {
    let before = words.back(head + 1);
    let is_encryption = words.any(head + 1, &["encryption"]);
    if words.any(head + 1, &NO_KEYS) && !is_encryption {
        return None;
    }
    let kind = match before {
        "" => return None,
        "api" => Kind::ApiKey,
        _ => Kind::Secret,
    };
    let strength = match before {
        before if KEYS.contains(&before) => Strength::Strong,
        before if LABELS.contains(&before) => Strength::Fair,
        _ => Strength::Weak,
    };
    Some(label(kind, strength))
}

/// Names without a sign between their words: `dbpassword`, `clientsecret`.
fn by_compound(word: &str) -> Option<Label> {
    let found = COMPOUNDS.iter().find(|(end, _)| {
        word.strip_suffix(end)
            .is_some_and(|rest| rest.len() < 24 && !rest.ends_with("no"))
    });
    let (_, kind) = found?;
    let asks = [
        "reset", "forgot", "change", "confirm", "disable", "enable", "allow", "show", "hide",
    ];
    let is_asked = asks.iter().any(|start| word.starts_with(start));
    (!is_asked).then(|| label(kind.clone(), Strength::Strong))
}

/// Whether a name is one of the operator's, or ends in one.
fn is_own(name: &[u8], own: &[String]) -> bool {
    let plain = |text: &[u8]| -> Vec<u8> {
        let letters = text.iter().filter(|byte| byte.is_ascii_alphanumeric());
        letters.map(u8::to_ascii_lowercase).collect()
    };
    let name = plain(name);
    own.iter().any(|own| name.ends_with(&plain(own.as_bytes())))
}

#[cfg(test)]
mod tests;
