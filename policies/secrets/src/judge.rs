//! How sure a value under a name is a secret.

use crate::assign::{Sign, Value};
use crate::format::Format;
use crate::key::Before;
use crate::name::{Label, Strength};
use crate::value::{self, Grade};
use crate::{Confidence, Kind, header, name, shape};

/// A value under a name, and how both are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'t> {
    pub(crate) name: &'t [u8],
    pub(crate) value: &'t [u8],
    pub(crate) style: Style,
}

/// How much the way that a value is written says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Style {
    /// A value by its looks only: in a program, a sentence, a list.
    Loose,
    /// Assigned inside another value, or by a directive.
    Inner,
    /// A key of a configuration and its value.
    Clean,
}

/// What a value under a name is, and how sure that is.
pub(crate) fn judge(label: &Label, case: &Case<'_>) -> Option<(Kind, Confidence)> {
    if value::is_meant(case.name, case.value) {
        return None;
    }
    let grade = value::grade(case.value);
    if grade == Grade::Hash {
        return Some((Kind::PasswordHash, Confidence::Low));
    }
    if label.may_name_object && shape::is_object_name(case.value) {
        return None;
    }
    if case.name.ends_with(b"auth") && header::is_login(case.value) {
        return Some((Kind::RegistryLogin, Confidence::High));
    }
    if grade == Grade::Nothing && is_phrase(label, case) {
        return Some((Kind::Password, Confidence::Medium));
    }
    confidence(label, grade, case).map(|confidence| (label.kind.clone(), confidence))
}

/// Some plain words under the name of a passphrase.
fn is_phrase(label: &Label, case: &Case<'_>) -> bool {
    let words = case.value.split(|byte| *byte == b' ');
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b' ';
    label.kind == Kind::Password
        && shape::contains(case.name, "passphrase")
        && matches!(words.count(), 3..=8)
        && case.value.iter().all(is_plain)
        && !shape::is_number(case.value)
}

fn confidence(label: &Label, grade: Grade, case: &Case<'_>) -> Option<Confidence> {
    use Confidence::{High, Medium};
    let is_password = label.kind == Kind::Password;
    let is_long = case.value.len() >= 16;
    match (grade, label.strength, case.style) {
        (Grade::Random, Strength::Strong, Style::Clean) => Some(High),
        (Grade::Random, Strength::Fair, Style::Clean) if is_long => Some(High),
        (Grade::Random, Strength::Weak, _) => {
            (is_long && case.style != Style::Loose).then_some(Medium)
        }
        (Grade::Random, _, _) => Some(Medium),
        (Grade::Uuid, Strength::Strong, Style::Clean | Style::Inner) => Some(Medium),
        (Grade::Mixed, Strength::Strong, Style::Clean) if is_password => {
            let is_name = shape::is_object_name(case.value) && !shape::is_disguised(case.value);
            Some(if is_name { Medium } else { High })
        }
        (Grade::Mixed, Strength::Strong, Style::Clean | Style::Inner) => Some(Medium),
        (Grade::Mixed, Strength::Strong, Style::Loose) => is_password.then_some(Medium),
        (Grade::Mixed, Strength::Fair, Style::Clean) => Some(Medium),
        (Grade::Number, Strength::Strong, Style::Clean) => {
            (is_password && case.value.len() >= 6).then_some(Medium)
        }
        (Grade::Plain, Strength::Strong, Style::Clean | Style::Inner) => {
            is_weak_secret(is_password, case).then_some(Medium)
        }
        _ => None,
    }
}

/// Whether a word is a weak secret, and no label of a form or name of an object.
fn is_weak_secret(is_password: bool, case: &Case<'_>) -> bool {
    let is_variable = is_variable(case.name);
    let is_title =
        case.value[0].is_ascii_uppercase() && case.value[1..].iter().all(u8::is_ascii_lowercase);
    match is_password {
        true => is_variable || !is_title,
        false => is_variable && case.value.len() >= 6 && case.style == Style::Clean,
    }
}

/// `DB_PASSWORD`: a name as environment variables have it.
fn is_variable(name: &[u8]) -> bool {
    name.iter()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}

/// How a value is written.
pub(crate) fn style(format: Format, before: Before, value: &Value) -> Option<Style> {
    let adjoins = matches!(value.sign, Sign::Equals);
    Some(match (format, before) {
        (_, Before::Flag) => Style::Inner,
        (Format::Code, _) | (_, Before::Variable) => match value.quoted {
            true => Style::Loose,
            false => return None,
        },
        (Format::Prose, _) => Style::Loose,
        (_, Before::Word) if value.quoted && value.sign != Sign::Colon => Style::Inner,
        (_, Before::Word | Before::Value) if adjoins => Style::Inner,
        (_, Before::Word | Before::Value) => Style::Loose,
        (Format::Shell, Before::Line) if value.sign == Sign::Equals => Style::Clean,
        (Format::Shell, _) => Style::Loose,
        (_, Before::Field) => Style::Inner,
        _ if matches!(value.sign, Sign::Blank | Sign::Argument) => Style::Inner,
        (_, Before::Argument) => Style::Inner,
        _ => Style::Clean,
    })
}

/// Whether `name` is the name of a secret at all, so that a value of this
/// text could be a key.
pub(crate) fn is_key_name(text: &[u8]) -> bool {
    name::classify(text, &[]).is_some()
}

/// Words that are in use as passwords, and as what is no password yet.
const DEFAULTS: [&str; 9] = [
    "secret", "passw", "token", "admin", "root", "test", "guest", "default", "user",
];

/// Whether an entry can be nothing but a password, though it is a word:
/// `POSTGRES_PASSWORD: daylight` as a variable of its own, and no default.
pub(crate) fn is_plain_password(name: &[u8], value: &[u8]) -> bool {
    let is_named = ["_PASSWORD", "_PASSWD", "_PASSPHRASE"]
        .iter()
        .any(|end| name.ends_with(end.as_bytes()));
    let says = |word: &&str| shape::contains(value, word);
    let own = name.to_ascii_lowercase();
    let repeats = own
        .split(|byte| *byte == b'_')
        .any(|word| word.len() > 2 && value.to_ascii_lowercase().starts_with(word));
    let is_graded = matches!(value::grade(value), Grade::Plain | Grade::Mixed);
    is_variable(name)
        && is_named
        && is_graded
        && value.len() >= 6
        && !repeats
        && !DEFAULTS.iter().any(says)
}
