//! The table of a policy's settings, from their JSON Schema.

use std::fmt::Write;

use serde_json::Value;

use super::sheet::cell;

/// Deeper settings than this are not told apart: a schema may hold itself.
const MAX_DEPTH: usize = 4;

/// Adds the section on settings.
pub(super) fn table(out: &mut String, schema: &Value) {
    out.push_str("\n## Settings\n\n");
    let mut rows = String::new();
    let root = Schema {
        value: schema,
        root: schema,
    };
    root.rows("", MAX_DEPTH, &mut rows);
    if rows.is_empty() {
        out.push_str("None.\n");
        return;
    }
    out.push_str("| setting | type | default | meaning |\n|---|---|---|---|\n");
    out.push_str(&rows);
}

/// A schema inside another, in which its references are looked up.
#[derive(Clone, Copy)]
struct Schema<'a> {
    value: &'a Value,
    root: &'a Value,
}

impl<'a> Schema<'a> {
    /// A row for each member, and for the members of each.
    fn rows(self, prefix: &str, depth: usize, out: &mut String) {
        let properties = self.resolved().value.get("properties");
        for (name, value) in properties.and_then(Value::as_object).into_iter().flatten() {
            let member = self.at(value);
            let name = format!("{prefix}{name}");
            let _ = writeln!(
                out,
                "| `{name}` | {} | {} | {} |",
                cell(&member.kind(depth)),
                cell(&member.default()),
                cell(&member.text("description")),
            );
            if depth > 0 {
                let (inner, step) = member.inner();
                inner.rows(&format!("{name}{step}."), depth - 1, out);
            }
        }
    }

    fn at(self, value: &'a Value) -> Self {
        Schema { value, ..self }
    }

    fn text(self, member: &str) -> String {
        let text = |schema: Schema<'_>| schema.value.get(member)?.as_str().map(str::to_owned);
        text(self)
            .or_else(|| text(self.resolved()))
            .unwrap_or_default()
    }

    fn default(self) -> String {
        match self.value.get("default") {
            None | Some(Value::Null) => "none".to_owned(),
            Some(default) => format!("`{default}`"),
        }
    }

    /// What a reference leads to; of what may also be null, what it is else.
    fn resolved(self) -> Self {
        let target = self.value.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|path| self.root.pointer(path.strip_prefix('#')?));
        let choices = self.choices("anyOf");
        let mut other = choices.filter(|choice| choice.value["type"] != "null");
        match (target, other.next(), other.next()) {
            (Some(target), _, _) => self.at(target),
            (None, Some(only), None) => only.resolved(),
            _ => self,
        }
    }

    fn choices(self, member: &str) -> impl Iterator<Item = Schema<'a>> {
        let choices = self.value.get(member).and_then(Value::as_array);
        choices
            .into_iter()
            .flatten()
            .map(move |choice| self.at(choice))
    }

    /// Where further members are: in the schema itself, or in the elements of
    /// the list or map that it is; and how their names go on.
    fn inner(self) -> (Self, &'static str) {
        let schema = self.resolved();
        let elements = |member: &str| schema.value.get(member).filter(|inner| inner.is_object());
        if let Some(elements) = elements("items") {
            return (schema.at(elements), "[*]");
        }
        match elements("additionalProperties") {
            Some(elements) => (schema.at(elements), ".*"),
            None => (schema, ""),
        }
    }

    /// The type, in words.
    fn kind(self, depth: usize) -> String {
        let schema = self.resolved();
        let constants = schema.constants();
        if !constants.is_empty() {
            return constants.join(", ");
        }
        let (elements, _) = schema.inner();
        let elements = || match depth {
            0 => "any".to_owned(),
            depth => elements.kind(depth - 1),
        };
        let is_map = schema
            .value
            .get("additionalProperties")
            .is_some_and(Value::is_object);
        match schema.name() {
            "array" => format!("list of {}", elements()),
            "object" if is_map => format!("map of {}", elements()),
            "" => "any".to_owned(),
            name => name.to_owned(),
        }
    }

    /// The values, where only some are allowed.
    fn constants(self) -> Vec<String> {
        let single = self.value.get("const").into_iter();
        let listed = self.value.get("enum").and_then(Value::as_array);
        let values = single.chain(listed.into_iter().flatten());
        let values = values.filter(|value| !value.is_null());
        let mut constants: Vec<String> = values.map(|value| format!("`{value}`")).collect();
        let choices = self.choices("oneOf").flat_map(Schema::constants);
        constants.extend(choices);
        constants
    }

    /// `type`, without null.
    fn name(self) -> &'a str {
        match &self.value["type"] {
            Value::Array(names) => {
                let names = names.iter().filter_map(Value::as_str);
                names
                    .into_iter()
                    .find(|name| *name != "null")
                    .unwrap_or_default()
            }
            name => name.as_str().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(properties: Value) -> String {
        let mut out = String::new();
        let schema = json!({"type": "object", "properties": properties, "$defs": {
            "Role": {"oneOf": [{"const": "a", "type": "string"}, {"const": "b", "type": "string"}]},
            "Set": {"type": "object", "description": "A set.", "properties": {
                "cpu": {"type": ["string", "null"], "default": null, "description": "CPU."},
                "more": {"$ref": "#/$defs/Set"},
            }},
        }});
        table(&mut out, &schema);
        out
    }

    #[test]
    fn each_setting_has_its_type_default_and_meaning() {
        let table = rendered(json!({
            "flag": {"type": "boolean", "default": false, "description": "One\nor | other."},
            "images": {"type": "array", "items": {"type": "string"}, "default": []},
            "least": {"type": ["integer", "null"], "default": null},
            "maybe": {"anyOf": [{"$ref": "#/$defs/Role"}, {"type": "null"}]},
            "role": {"$ref": "#/$defs/Role", "default": "a"},
            "roles": {"type": "object", "additionalProperties": {"type": "array", "items": {"$ref": "#/$defs/Role"}}},
            "word": {"enum": ["x", "y"]},
            "free": true,
        }));
        for line in [
            "| setting | type | default | meaning |",
            "| `flag` | boolean | `false` | One or \\| other. |",
            "| `images` | list of string | `[]` |  |",
            "| `least` | integer | none |  |",
            "| `maybe` | `\"a\"`, `\"b\"` | none |  |",
            "| `role` | `\"a\"`, `\"b\"` | `\"a\"` |  |",
            "| `roles` | map of list of `\"a\"`, `\"b\"` | none |  |",
            "| `word` | `\"x\"`, `\"y\"` | none |  |",
            "| `free` | any | none |  |",
        ] {
            assert!(table.lines().any(|found| found == line), "{line}\n{table}");
        }
    }

    #[test]
    fn members_of_members_have_rows_and_a_schema_that_holds_itself_ends() {
        let table = rendered(json!({
            "sets": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Set"}},
            "list": {"type": "array", "items": {"$ref": "#/$defs/Set"}},
            "set": {"$ref": "#/$defs/Set"},
        }));
        for line in [
            "| `sets.*.cpu` | string | none | CPU. |",
            "| `list[*].cpu` | string | none | CPU. |",
            "| `set` | object | none | A set. |",
            "| `set.more.cpu` | string | none | CPU. |",
        ] {
            assert!(table.lines().any(|found| found == line), "{line}\n{table}");
        }
        assert!(table.lines().count() < 50, "{table}");
    }

    #[test]
    fn no_settings_are_said_to_be_none() {
        assert!(rendered(json!({})).ends_with("None.\n"));
    }
}
