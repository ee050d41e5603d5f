//! Where lines begin, and which are comments.

/// Follows the lines of a text, for places that come in order. Looks at each
/// byte once, however long the lines are.
pub(crate) struct Lines<'t> {
    text: &'t [u8],
    /// Where the line begins.
    start: usize,
    /// A `#` after a blank in it.
    hash: Option<usize>,
    /// How far it was looked.
    done: usize,
}

/// The most blanks before a comment, and bytes after a `#` in a line.
const FAR: usize = 256;

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Lines {
            text,
            start: 0,
            hash: None,
            done: 0,
        }
    }

    /// Whether what is at `at` is a part of a comment.
    pub(crate) fn is_comment(&mut self, at: usize) -> bool {
        self.advance(at);
        let line = &self.text[self.start..at];
        let blanks = line
            .iter()
            .take(FAR)
            .take_while(|byte| matches!(byte, b' ' | b'\t'));
        let first = &line[blanks.count()..];
        let is_line = matches!(
            first,
            [b'#' | b';' | b'*', ..] | [b'/', b'*', ..] | [b'/', b'/', b' ' | b'/' | b'\t', ..]
        ) || first.starts_with(b"-- ")
            || first.starts_with(b"<!--")
            || first.starts_with(b"%");
        // A line end in a string ends a comment in that string.
        let ends = |from: usize| {
            let rest = &self.text[from..at.min(from + FAR)];
            rest.windows(2).any(|pair| pair == b"\\n")
        };
        let start = at - first.len();
        is_line && !ends(start) || self.hash.is_some_and(|hash| !ends(hash))
    }

    fn advance(&mut self, at: usize) {
        if at <= self.done {
            return;
        }
        let new = &self.text[self.done..at];
        if let Some(newline) = memchr::memrchr(b'\n', new) {
            self.start = self.done + newline + 1;
            self.hash = None;
        }
        let from = self.start.max(self.done);
        if self.hash.is_none() {
            let text = self.text;
            let hashes = memchr::memchr_iter(b'#', &text[from..at]).map(|index| from + index);
            let is_comment = |hash: &usize| {
                let next = text.get(hash + 1);
                *hash > 0
                    && matches!(text[hash - 1], b' ' | b'\t')
                    && matches!(next, None | Some(b' ' | b'#' | b'\n'))
            };
            self.hash = { hashes }.find(is_comment);
        }
        self.done = at;
    }
}
