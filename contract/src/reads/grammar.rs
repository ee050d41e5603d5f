//! The grammar of a read.

/// One step of a read after its first name.
pub(super) enum Step {
    Field(String),
    Any,
    Each,
}

/// Splits a read into its first name and the steps after it.
pub(super) fn steps(read: &str) -> Result<(String, Vec<Step>), String> {
    let (member, mut rest) = name(read)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[*]") {
            steps.push(Step::Each);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(".*") {
            steps.push(Step::Any);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            let (field, after) = name(after)?;
            steps.push(Step::Field(field.to_owned()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('[') {
            let (field, after) = quoted(after)?;
            steps.push(Step::Field(field));
            rest = after;
        } else {
            return Err(format!(
                "expected `.name`, `.*`, `[*]` or `[\"name\"]` at `{rest}`"
            ));
        }
    }
    Ok((member.to_owned(), steps))
}

/// A plain name at the start of `text`, and what follows it.
fn name(text: &str) -> Result<(&str, &str), String> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(text.len());
    if end == 0 {
        return Err(format!("expected a name at `{text}`"));
    }
    Ok(text.split_at(end))
}

/// A JSON string and the bracket that closes it, and what follows.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let field = match strings.next() {
        Some(Ok(field)) => field,
        _ => return Err(format!("expected a string in double quotes at `{text}`")),
    };
    let after = &text[strings.byte_offset()..];
    let after = after
        .strip_prefix(']')
        .ok_or_else(|| format!("expected `]` at `{after}`"))?;
    Ok((field, after))
}
