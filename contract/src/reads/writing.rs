//! Values reduced to what is read of them, as JSON text.

use serde_json::Value;

use super::node::Node;
use crate::pod::PodView;

impl Node {
    pub(super) fn write(&self, value: &Value, out: &mut Vec<u8>) {
        if self.whole {
            return write_json(out, value);
        }
        match value {
            Value::Object(map) if self.any.is_some() || !self.fields.is_empty() => {
                self.write_map(map, out);
            }
            Value::Array(list) => match &self.each {
                Some(each) => write_list(list, each, out),
                // serde takes a list for a struct, member by member: an empty
                // one would pass for a struct of defaults, text never does.
                None => out.extend_from_slice(b"\"\""),
            },
            Value::Object(_) => out.extend_from_slice(b"{}"),
            Value::String(_) => out.extend_from_slice(b"\"\""),
            Value::Number(_) => out.push(b'0'),
            Value::Bool(_) => out.extend_from_slice(b"false"),
            Value::Null => out.extend_from_slice(b"null"),
        }
    }

    fn write_map(&self, map: &serde_json::Map<String, Value>, out: &mut Vec<u8>) {
        out.push(b'{');
        match &self.any {
            None => {
                for (name, node) in &self.fields {
                    if let Some(value) = map.get(name) {
                        write_member(name, node, value, out);
                    }
                }
            }
            Some(any) => {
                for (name, value) in map {
                    let node = self.fields.get(name).unwrap_or(any);
                    write_member(name, node, value, out);
                }
            }
        }
        out.push(b'}');
    }

    pub(super) fn write_pod(&self, view: &PodView<'_>, out: &mut Vec<u8>) {
        out.push(b'{');
        if self.whole || self.fields.contains_key("path") {
            out.extend_from_slice(b"\"path\":");
            write_json(out, view.path);
        }
        for name in ["metadata", "spec"] {
            let whole = Node {
                whole: true,
                ..Node::default()
            };
            let node = if self.whole {
                Some(&whole)
            } else {
                self.fields.get(name)
            };
            if let (Some(node), Some(value)) = (node, view.template.get(name)) {
                write_member(name, node, value, out);
            }
        }
        out.push(b'}');
    }
}

fn write_list(list: &[Value], each: &Node, out: &mut Vec<u8>) {
    out.push(b'[');
    for value in list {
        separate(out);
        each.write(value, out);
    }
    out.push(b']');
}

fn write_member(name: &str, node: &Node, value: &Value, out: &mut Vec<u8>) {
    separate(out);
    write_json(out, name);
    out.push(b':');
    node.write(value, out);
}

pub(super) fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing plain JSON values into memory has no way to go wrong.
    let _ = serde_json::to_writer(out, value);
}

/// A comma, unless this is the first thing inside its bracket.
pub(super) fn separate(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}
