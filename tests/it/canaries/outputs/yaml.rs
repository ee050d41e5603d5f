//! Objects as people write them: one line a member, texts as blocks.

use serde_json::Value;

/// A document.
pub(in crate::canaries) fn block(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text.trim_start_matches('\n').to_owned()
}

fn write(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            for (key, value) in map {
                text.push_str(&format!("{:indent$}{}:", "", Value::from(key.as_str())));
                write(text, value, indent + 2);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            text.push('\n');
            for value in list {
                text.push_str(&format!("{:indent$}-", ""));
                write(text, value, indent + 2);
            }
        }
        Value::String(lines) if lines.ends_with('\n') => {
            text.push_str(" |\n");
            for line in lines.lines() {
                text.push_str(&format!("{:indent$}{line}\n", ""));
            }
        }
        other => text.push_str(&format!(" {other}\n")),
    }
}
