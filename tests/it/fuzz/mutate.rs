//! Makes new inputs of known ones.

/// What parsers of JSON, YAML, references and components stumble over.
const WORDS: [&[u8]; 40] = [
    b"{}",
    b"[]",
    b"null",
    b"true",
    b"\"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"1e999",
    b"-0",
    b"1.0",
    b"0x10",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"0.1",
    b"Ki",
    b"E",
    b"e6",
    b"~0",
    b"~1",
    b"/-",
    b"../",
    b"@sha256:",
    b"[*]",
    b".*",
    b"---\n",
    b"&a ",
    b"*a",
    b"<<: ",
    b"\0asm\x0d\0\x01\0",
];

/// A source of mutations that a seed repeats.
pub(super) struct Mutator(u64);

impl Mutator {
    pub(super) fn new(seed: u64) -> Mutator {
        // A state of zero stays zero.
        Mutator(seed ^ 0x9e37_79b9_7f4a_7c15 | 1)
    }

    /// Marsaglia's xorshift64* (<https://doi.org/10.18637/jss.v008.i14>).
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 if that is 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("64 bits").max(1);
        usize::try_from((self.next() >> 8) % end).expect("64 bits")
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        let most = (length - from).min(1 << self.below(12));
        from..from + self.below(most + 1)
    }

    /// One of the corpus, with one to eight mutations.
    pub(super) fn mutate(&mut self, corpus: &[Vec<u8>], longest: usize) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(8) {
            self.step(&mut input, corpus);
        }
        input.truncate(longest);
        input
    }

    fn step(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let (length, kind) = (input.len(), self.below(9));
        let at = self.below(length);
        match kind {
            0 if length > 0 => input[at] ^= 1 << self.below(8),
            1 if length > 0 => input[at] = self.next().to_le_bytes()[0],
            2 => drop(input.drain(self.range(length))),
            3 => input.truncate(at),
            4 => {
                let copied = input[self.range(length)].to_vec();
                drop(input.splice(at..at, copied));
            }
            5 => {
                // Depth, and numbers of many digits.
                let copied = input[at..length.min(at + 1 + self.below(4))].to_vec();
                let count = 1 << self.below(15);
                drop(input.splice(at..at, copied.repeat(count)));
            }
            6 => {
                let other = &corpus[self.below(corpus.len())];
                let part = other[self.range(other.len())].to_vec();
                let place = self.range(length);
                drop(input.splice(place, part));
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                let end = (at + self.below(3)).min(length);
                drop(input.splice(at..end, word.iter().copied()));
            }
        }
    }
}
