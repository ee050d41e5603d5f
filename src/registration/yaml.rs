//! Values as YAML, for people to read and kubectl to apply.

use serde_json::Value;

/// Words that YAML 1.1 reads as something else than text.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// Documents, each after a `---`.
pub fn documents(values: &[Value]) -> String {
    let mut text = String::new();
    for value in values {
        text.push_str("---");
        write(&mut text, value, 0);
    }
    text
}

/// Writes a value after what introduces it (`key:`, `-`, `---`), to the end of
/// its last line.
fn write(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            for (key, value) in members {
                text.push_str(&format!("{:indent$}{}:", "", scalar(key)));
                write(text, value, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                text.push_str(&format!("{:indent$}-", ""));
                write_item(text, item, indent + 2);
            }
        }
        Value::String(string) => text.push_str(&format!(" {}\n", scalar(string))),
        // Numbers, booleans, null, `{}` and `[]` are JSON in YAML, too.
        other => text.push_str(&format!(" {other}\n")),
    }
}

/// The first member of a mapping goes on the line of the dash.
fn write_item(text: &mut String, item: &Value, indent: usize) {
    let mut nested = String::new();
    write(&mut nested, item, indent);
    match (item, nested.strip_prefix('\n')) {
        (Value::Object(_), Some(block)) => {
            text.push(' ');
            text.push_str(block.trim_start_matches(' '));
        }
        _ => text.push_str(&nested),
    }
}

/// Text without quotes where nobody can read it as anything else.
fn scalar(string: &str) -> String {
    let is_plain = string.starts_with(|c: char| c.is_ascii_alphabetic())
        && string
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-./_".contains(&byte))
        && !WORDS.contains(&string.to_ascii_lowercase().as_str());
    match is_plain {
        true => string.to_owned(),
        false => Value::from(string).to_string(),
    }
}
