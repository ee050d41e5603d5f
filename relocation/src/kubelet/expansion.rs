//! `$(VAR)`.

/// A text with its references replaced: `$(NAME)` by its value, or left as it is
/// where there is none; `$$` by `$`, so that `$$(NAME)` is `$(NAME)`. Everything
/// else stays: a lone `$`, one before another character, an open bracket that is
/// never closed. What a reference brings is not looked at again.
pub fn expand(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let name = after
            .strip_prefix('(')
            .and_then(|open| open.split_once(')'));
        rest = if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            after
        } else if let Some((name, after)) = name {
            match value(name) {
                Some(value) => expanded.push_str(&value),
                None => expanded.push_str(&format!("$({name})")),
            }
            after
        } else {
            expanded.push('$');
            after
        };
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn references_are_replaced_once_and_the_rest_stays() {
        let cases = [
            ("$(A)", "a"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$a"),
            ("$$$$(A)", "$$(A)"),
            ("$(NO)-$(A)", "$(NO)-a"),
            ("$(A", "$(A"),
            ("$(A$(A)", "$(A$(A)"),
            ("$", "$"),
            ("$A $(B)", "$A $(A)"),
            ("$()", "$()"),
            ("$é$(A)", "$éa"),
        ];
        for (text, wanted) in cases {
            let value = |name: &str| match name {
                "A" => Some("a".to_owned()),
                "B" => Some("$(A)".to_owned()),
                _ => None,
            };
            assert_eq!(expand(text, value), wanted, "{text}");
        }
    }
}
