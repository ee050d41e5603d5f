//! Requirements on labels, as kubectl writes them after `-l`.

use portcullis_contract::{SelectorOperator, SelectorRequirement};

use super::Error;
use super::name::{is_label_key, is_label_value};

const OPTION: &str = "--namespace-selector";

/// One requirement: `KEY=VALUE`, `KEY!=VALUE`, `KEY in (A,B)`,
/// `KEY notin (A,B)`, `KEY` or `!KEY`.
///
/// # Errors
///
/// Anything else; two requirements in one text.
pub fn parse(text: &str) -> Result<SelectorRequirement, Error> {
    let refuse = |problem: String| Error::Option {
        option: OPTION,
        problem: format!("`{text}` {problem}"),
    };
    let (key, operator, values) = split(text.trim()).ok_or_else(|| {
        refuse(
            "is no requirement: write `KEY=VALUE`, `KEY!=VALUE`, `KEY in (A,B)`, \
             `KEY notin (A,B)`, `KEY` or `!KEY`, and the option again for another one"
                .into(),
        )
    })?;
    if !is_label_key(key) {
        return Err(refuse(format!("has `{key}` where the key of a label goes")));
    }
    if let Some(bad) = values.iter().find(|value| !is_label_value(value)) {
        return Err(refuse(format!(
            "has `{bad}` where the value of a label goes"
        )));
    }
    Ok(SelectorRequirement {
        key: key.to_owned(),
        operator,
        values: values.into_iter().map(str::to_owned).collect(),
    })
}

type Parts<'t> = (&'t str, SelectorOperator, Vec<&'t str>);

fn split(text: &str) -> Option<Parts<'_>> {
    use SelectorOperator::{DoesNotExist, Exists, In, NotIn};
    if let Some(listed) = text.strip_suffix(')') {
        let (head, values) = listed.split_once('(')?;
        let (key, word) = head.trim().split_once(char::is_whitespace)?;
        let operator = match word.trim() {
            "in" => In,
            "notin" => NotIn,
            _ => return None,
        };
        return Some((key, operator, values.split(',').map(str::trim).collect()));
    }
    if text.is_empty() || text.contains([',', '(', ' ']) {
        return None;
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some((key, NotIn, vec![value]));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some((key, In, vec![value]));
    }
    Some(match text.strip_prefix('!') {
        Some(key) => (key, DoesNotExist, vec![]),
        None => (text, Exists, vec![]),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requirements_are_read_as_kubectl_reads_them() {
        for (text, expected) in [
            (
                "a=b",
                json!({"key": "a", "operator": "In", "values": ["b"]}),
            ),
            (
                "a==b",
                json!({"key": "a", "operator": "In", "values": ["b"]}),
            ),
            (
                "x.y/a!=b",
                json!({"key": "x.y/a", "operator": "NotIn", "values": ["b"]}),
            ),
            ("a=", json!({"key": "a", "operator": "In", "values": [""]})),
            (
                "a in (b, c)",
                json!({"key": "a", "operator": "In", "values": ["b", "c"]}),
            ),
            (
                "a notin (b)",
                json!({"key": "a", "operator": "NotIn", "values": ["b"]}),
            ),
            ("a", json!({"key": "a", "operator": "Exists"})),
            ("!a", json!({"key": "a", "operator": "DoesNotExist"})),
        ] {
            let parsed = parse(text).expect(text);
            assert_eq!(json!(parsed), expected, "{text}");
        }
        for text in [
            "", "a=b,c=d", "a in b", "a of (b)", "=b", "a=b=c", "/a=b", "a b", "a=-b", "!",
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with("--namespace-selector `"), "{error}");
        }
    }
}
