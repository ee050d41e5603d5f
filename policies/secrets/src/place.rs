//! Offsets as lines and columns.

use crate::At;

/// Counts lines and columns of offsets that come in order.
#[derive(Debug)]
pub(crate) struct Places<'t> {
    text: &'t str,
    done: usize,
    line: usize,
    start: usize,
}

impl<'t> Places<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Places {
            text,
            done: 0,
            line: 1,
            start: 0,
        }
    }

    /// The place of an offset that is not before the last one.
    pub(crate) fn at(&mut self, offset: usize) -> At {
        let bytes = self.text.as_bytes();
        for (index, _) in memchr::memchr_iter(b'\n', &bytes[self.done..offset])
            .map(|index| (index + self.done, ()))
        {
            self.line += 1;
            self.start = index + 1;
        }
        self.done = offset;
        let before = &bytes[self.start..offset];
        // What continues a character is not counted.
        let column = before.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        At {
            line: self.line,
            column: column + 1,
        }
    }
}
