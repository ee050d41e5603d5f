//! Requirements on labels, as kubectl writes them after `-l`.

use portcullis_contract::{SelectorOperator, SelectorRequirement};

use super::Error;
use super::name::{is_label_key, is_label_value};

const OPTION: &str = "--namespace-selector";
const OF_OBJECTS: &str = "--object-selector";

/// Requirements on the labels of objects: only such that a label has to be
/// there for, since whoever writes an object could opt out by the others.
///
/// # Errors
///
/// As [`parse`]; a requirement that an object without labels fulfils.
pub fn opting_in(texts: &[String]) -> Result<Vec<SelectorRequirement>, Error> {
    let one = |text: &String| {
        let requirement = parse(text).map_err(|error| match error {
            Error::Option { problem, .. } => Error::Option {
                option: OF_OBJECTS,
                problem,
            },
            other => other,
        })?;
        match requirement.operator {
            SelectorOperator::In | SelectorOperator::Exists => Ok(requirement),
            SelectorOperator::NotIn | SelectorOperator::DoesNotExist => Err(Error::Option {
                option: OF_OBJECTS,
                problem: format!(
                    "`{text}` lets everybody opt out by a label: write `KEY=VALUE`, \
                     `KEY in (A,B)` or `KEY`, or leave out namespaces with --exclude-namespace"
                ),
            }),
        }
    };
    texts.iter().map(one).collect()
}

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
    fn labels_of_objects_opt_in_and_never_out() {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let chosen = opting_in(&texts(&["judge=yes", "team", "env in (a,b)"]));
        assert_eq!(chosen.expect("requirements").len(), 3);
        for text in ["judge!=no", "!skip", "a notin (b)", "a b"] {
            let error = opting_in(&texts(&[text])).expect_err(text).to_string();
            assert!(error.starts_with("--object-selector `"), "{error}");
        }
    }

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
