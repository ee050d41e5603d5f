//! `api.insecure`, wherever Traefik takes it from.

use portcullis_sdk::contract::pointer;
use serde_json::Value;

/// The flag of Traefik's command line, lower case: Traefik takes any.
const FLAG: &str = "-api.insecure";

/// Whether a text sets the flag: one argument, or a script with it.
pub(crate) fn is_set_in(text: &str) -> bool {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '[' | ']');
    text.split(is_end).any(is_flag)
}

fn is_flag(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let Some(rest) = word
        .strip_prefix('-')
        .map(|rest| match rest.starts_with('-') {
            true => rest,
            false => word.as_str(),
        })
    else {
        return false;
    };
    match rest.strip_prefix(FLAG) {
        Some("") => true,
        Some(value) => value.strip_prefix('=').is_some_and(is_true),
        None => false,
    }
}

/// What Go's `strconv.ParseBool` takes for true, lower case.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "true")
}

/// The places below `at` where the values of a chart set it. `of_traefik`:
/// whether they are known to be Traefik's, so that `api: {insecure: true}` is
/// its setting and not that of another program.
pub(crate) fn places(values: &Value, at: &str, of_traefik: bool, out: &mut Vec<String>) {
    match values {
        Value::String(text) if is_set_in(text) => out.push(at.to_owned()),
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{index}"), of_traefik, out);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let of_traefik = of_traefik || names_traefik(key);
                if of_traefik && key == "api" && is_insecure(value) {
                    out.push(format!("{}/insecure", pointer::join(at, key)));
                }
                places(value, &pointer::join(at, key), of_traefik, out);
            }
        }
        _ => {}
    }
}

fn is_insecure(api: &Value) -> bool {
    match api.get("insecure") {
        Some(Value::Bool(set)) => *set,
        Some(Value::String(text)) => is_true(&text.to_ascii_lowercase()),
        _ => false,
    }
}

/// Whether a name is that of Traefik, of its chart or of a release of it.
pub(crate) fn names_traefik(name: &str) -> bool {
    name.to_ascii_lowercase().contains("traefik")
}

/// The line, from 1, in which a text of YAML sets it: values of a chart as
/// Argo CD takes them. Reads lines, not YAML: block maps and one-line maps.
pub(crate) fn line(text: &str, of_traefik: bool) -> Option<usize> {
    let mut api: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or(line);
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        api = api.filter(|outer| indent > *outer);
        let is_insecure = |text: &str| {
            let text: String = text.split_whitespace().collect();
            let value = text.split_once("insecure:").map(|(_, value)| value);
            value.is_some_and(|value| value.trim_matches(['"', '\'']).starts_with("true"))
        };
        let starts = content.strip_prefix("api:");
        let inside = api.is_some() && content.starts_with("insecure:");
        let is_api = of_traefik && (inside || starts.is_some()) && is_insecure(content);
        if is_api || is_set_in(content) {
            return Some(index + 1);
        }
        if starts == Some("") {
            api = Some(indent);
        }
    }
    None
}
