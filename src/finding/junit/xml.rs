//! Text as it may stand in XML 1.0.

/// In the content of an element.
pub(super) fn content(text: &str) -> String {
    escaped(text, false)
}

/// In an attribute in double quotes. Line ends and tabs are references: a
/// parser turns plain ones into spaces (XML 1.0, 3.3.3).
pub(super) fn attribute(text: &str) -> String {
    escaped(text, true)
}

fn escaped(text: &str, in_attribute: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            '\n' if in_attribute => out.push_str("&#10;"),
            // A parser reads a plain one as a line end, anywhere.
            '\r' => out.push_str("&#13;"),
            other if is_allowed(other) => out.push(other),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    out
}

/// XML 1.0, 2.2: even a reference may not stand for another.
fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_from_a_real_parser() {
        let text = "a<b>&\"'c]]>\t\n\r\u{85}\u{10ffff}";
        let hostile = format!("{text}\0\u{1b}\u{fffe}\u{ffff}");
        let xml = format!("<a b=\"{}\">{}</a>", attribute(&hostile), content(&hostile));
        let document = roxmltree::Document::parse(&xml).expect("XML");
        let expected = format!("{text}{}", "\u{fffd}".repeat(4));
        let root = document.root_element();
        assert_eq!(root.attribute("b"), Some(expected.as_str()));
        assert_eq!(root.text(), Some(expected.as_str()));
    }
}
