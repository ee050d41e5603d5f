//! The text of a document, and what is found out about it once.

use std::sync::OnceLock;

use super::locate::Outline;

/// A document, which all of its objects share: a List may hold thousands, each
/// with several findings, and none of them reads the whole again.
#[derive(Debug)]
pub(crate) struct Source {
    text: String,
    /// Where each line starts, in bytes.
    lines: OnceLock<Vec<usize>>,
    outline: OnceLock<Outline>,
}

impl Source {
    pub(crate) fn new(text: &str) -> Source {
        Source {
            text: text.to_owned(),
            lines: OnceLock::new(),
            outline: OnceLock::new(),
        }
    }

    /// A line by its number, from 0, without its end.
    pub(crate) fn line(&self, number: usize) -> Option<&str> {
        let starts = self.lines.get_or_init(|| {
            let mut start = 0;
            let lines = self.text.split_inclusive('\n');
            let starts = lines.map(|line| {
                start += line.len();
                start - line.len()
            });
            starts.collect()
        });
        self.text[*starts.get(number)?..].lines().next()
    }

    /// Where everything stands; found out when it is first asked for.
    pub(crate) fn outline(&self) -> &Outline {
        self.outline.get_or_init(|| Outline::of(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_text_whatever_ends_them() {
        for text in ["", "\n", "a", "a\nb", "a\r\nb\r\n", "\n\na\r\r\n\n", "é\nü"] {
            let source = Source::new(text);
            let lines = (0..).map_while(|number| source.line(number));
            assert!(lines.eq(text.lines()), "{text:?}");
        }
    }
}
