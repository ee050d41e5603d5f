//! What bytes look like, whatever they mean.

/// Signs that base64 is made of, the URL-safe ones included.
pub(crate) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// Whether `text` begins with `prefix` in any case.
pub(crate) fn starts_with(text: &[u8], prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Whether `text` holds `part` in any case; `part` is in lower case.
pub(crate) fn contains(text: &[u8], part: &str) -> bool {
    position(text, part).is_some()
}

/// Where `text` holds `part` first, in any case; `part` is in lower case.
pub(crate) fn position(text: &[u8], part: &str) -> Option<usize> {
    let part = part.as_bytes();
    text.windows(part.len())
        .position(|window| window.eq_ignore_ascii_case(part))
}

/// From this length on words stand nowhere by chance. Of texts of 32 letters and
/// digits one in 30,000 holds a given word of four in some case, one in a billion one
/// of seven.
const CERTAIN: usize = 7;

/// Whether `text` says `word` (in lower case) in any case. A machine may have put
/// the letters of a short one next to each other: in what looks random it has to
/// stand by itself, or at the beginning.
pub(crate) fn says(text: &[u8], word: &str) -> bool {
    contains(text, word) && (word.len() >= CERTAIN || !is_random(text) || stands_out(text, word))
}

/// Whether a word that `text` holds begins it, or stands between signs.
fn stands_out(text: &[u8], word: &str) -> bool {
    let goes_on = |edge: u8, next: Option<&u8>| {
        edge.is_ascii_alphanumeric() && next.is_some_and(u8::is_ascii_alphanumeric)
    };
    let word = word.as_bytes();
    let mut windows = text.windows(word.len()).enumerate();
    windows.any(|(start, window)| {
        let [first, .., last] = window else {
            return false;
        };
        let before = text[..start].iter().rev().find(|byte| *byte != first);
        let after = text[start + word.len()..].iter().find(|byte| *byte != last);
        let is_alone = start == 0 || !goes_on(*first, before) && !goes_on(*last, after);
        // `MyDummyP4ss`
        let is_title = first.is_ascii_uppercase()
            && window[1..] == word[1..]
            && !before.is_some_and(u8::is_ascii_uppercase)
            && !after.is_some_and(u8::is_ascii_lowercase);
        // `9f8e7dXXXXXXXX1a2b3c`
        let is_mask = text[start..]
            .iter()
            .take_while(|byte| *byte == first)
            .count()
            > word.len();
        window.eq_ignore_ascii_case(word) && (is_alone || is_title || is_mask)
    })
}

/// Where `text` holds `part` last, in any case; `part` is in lower case.
pub(crate) fn last_position(text: &[u8], part: &str) -> Option<usize> {
    let part = part.as_bytes();
    text.windows(part.len())
        .rposition(|window| window.eq_ignore_ascii_case(part))
}

/// Bytes that differ.
fn distinct(text: &[u8]) -> u32 {
    let mut seen = [0_u64; 4];
    for byte in text {
        seen[usize::from(byte / 64)] |= 1 << (byte % 64);
    }
    seen.iter().map(|part| part.count_ones()).sum()
}

/// Words of texts that only stand for a token.
const EXAMPLES: [&str; 9] = [
    "example",
    "xxxx",
    "your",
    "abcdefg",
    "abcd1234",
    "12345678",
    "00000000",
    "placeholder",
    "redacted",
];

/// Whether a text of a token's form stands for one: few signs, or words that
/// say so.
pub(crate) fn is_example(text: &[u8]) -> bool {
    let least = if text.len() > 20 { 9 } else { 6 };
    let text = &text[..text.len().min(512)];
    distinct(text) < least || says_example(text)
}

/// Whether a text says that it stands for something.
pub(crate) fn says_example(text: &[u8]) -> bool {
    EXAMPLES.iter().any(|word| says(text, word))
}

/// What a run of letters and digits is made of.
#[derive(Debug, Default, Clone, Copy)]
struct Mix {
    upper: usize,
    lower: usize,
    digits: usize,
    /// Stretches of one class; a capital and the small letters after it are one.
    stretches: usize,
}

fn mix(run: &[u8]) -> Mix {
    let mut mix = Mix::default();
    let mut last = 0;
    let mut length = 0;
    for byte in run {
        let class = match byte {
            b'A'..=b'Z' => 1,
            b'a'..=b'z' => 2,
            _ => 3,
        };
        match class {
            1 => mix.upper += 1,
            2 => mix.lower += 1,
            _ => mix.digits += 1,
        }
        let goes_on = class == last || class == 2 && last == 1 && length == 1;
        if goes_on {
            length += 1;
        } else {
            mix.stretches += 1;
            length = 1;
        }
        last = class;
    }
    mix
}

/// Whether a text was made by a machine or by somebody who wanted it hard to
/// guess, so that it names nothing.
pub(crate) fn is_random(text: &[u8]) -> bool {
    let text = &text[..text.len().min(1024)];
    if text.len() < 8 || distinct(text) < 6 {
        return false;
    }
    let runs = || text.split(|byte| !byte.is_ascii_alphanumeric());
    let looks_random = |run: &[u8]| is_hex(run) || is_mixed_up(run);
    if runs().any(looks_random) {
        return !is_name_with_hash(text);
    }
    is_symbolic(text) || is_mixed_up(&text_without_signs(text))
}

/// Letters and digits of a base64 text, whose signs come seldom.
fn text_without_signs(text: &[u8]) -> Vec<u8> {
    if text.len() < 16 || text.iter().any(|byte| matches!(byte, b'-' | b'.' | b'_')) {
        return Vec::new();
    }
    let signs = |byte: &u8| byte.is_ascii_alphanumeric();
    text.iter().copied().filter(signs).collect()
}

/// A hexadecimal number that is no word and no decimal number.
fn is_hex(run: &[u8]) -> bool {
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    run.len() >= 16
        && run.iter().all(u8::is_ascii_hexdigit)
        && digits >= 3
        && run.len() - digits >= 2
}

/// Letters and digits without order: stretches of one class are short.
fn is_mixed_up(run: &[u8]) -> bool {
    let mix = mix(run);
    let has_two = [mix.upper, mix.lower, mix.digits]
        .iter()
        .filter(|count| **count > 0)
        .count()
        > 1;
    let short = match run.len() {
        0..9 => false,
        9..16 => mix.stretches >= 4 && run.len() * 100 <= mix.stretches * 275,
        _ => mix.stretches >= 5 && run.len() * 100 <= mix.stretches * 360,
    };
    has_two && short
}

/// A hard password: letters, digits and two different signs; or, without digits,
/// letters of both cases and three, in turns that no word or code has.
pub(crate) fn is_symbolic(text: &[u8]) -> bool {
    let mut signs = [b'\0'; 3];
    let mut count = 0;
    for byte in text {
        match byte {
            b' ' | b'\t' => return false,
            b'!' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'?' | b'~' | b'+' | b'<' | b'>'
            | b'@' | b'|' | b'=' | b'(' | b')' | b'[' | b']' | b'{' | b'}'
                if count < 3 && !signs[..count].contains(byte) =>
            {
                signs[count] = *byte;
                count += 1;
            }
            _ => {}
        }
    }
    if count < 2 {
        return false;
    }
    let mix = mix(text);
    match text.iter().any(u8::is_ascii_digit) {
        true => mix.upper + mix.lower > 0 && mix.stretches >= 4,
        false => {
            let alternates = mix.stretches >= 8 && mix.stretches * 2 >= text.len();
            count > 2 && mix.upper > 0 && mix.lower > 0 && alternates
        }
    }
}

/// `my-app-tls-7f9c8b6d5`: words with hyphens, and what a controller or a
/// builder put after them.
fn is_name_with_hash(text: &[u8]) -> bool {
    let is_label = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'/');
    let words = text.split(|byte| *byte == b'-');
    let is_word = |word: &&[u8]| word.len() >= 3 && word.iter().all(u8::is_ascii_lowercase);
    let count = words.clone().filter(is_word).count();
    let longest = words.map(<[u8]>::len).max().unwrap_or_default();
    text.iter().all(is_label) && count >= 1 && text.contains(&b'-') && longest <= 12
}

/// 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_uuid(text: &[u8]) -> bool {
    let hyphens = [8, 13, 18, 23];
    text.len() == 36
        && text
            .iter()
            .enumerate()
            .all(|(index, byte)| match hyphens.contains(&index) {
                true => *byte == b'-',
                false => byte.is_ascii_hexdigit(),
            })
}

/// Three letters that stand behind an amount.
#[rustfmt::skip]
const UNITS: [&str; 47] = [
    "tps", "mbs", "gcm", "cbc", "bar", "bit", "bps", "cpu", "day", "dpi", "fps", "ghz", "gib", "hrs", "khz", "kib", "kwh", "mhz", "mib", "min", "ops",
    "pcs", "qps", "rem", "req", "rpm", "rps", "sec", "tib", "utc", "yrs", "usd", "eur", "gbp", "chf",
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// `123qwe`: digits, and three letters behind them that are no unit.
pub(crate) fn is_no_amount(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unit = &text[digits..];
    let is_known = |known: &str| unit.eq_ignore_ascii_case(known.as_bytes());
    digits > 2
        && unit.len() == 3
        && unit.iter().all(u8::is_ascii_alphabetic)
        && !UNITS.iter().any(|known| is_known(known))
}

/// Numbers, dates, durations, sizes, versions, addresses: digits, signs
/// between them, and after digits units of at most three letters, not many.
pub(crate) fn is_number(text: &[u8]) -> bool {
    let mut digits = 0;
    let mut units = 0;
    let mut last = b' ';
    let mut stretch = 0;
    for &byte in text {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' | b',' | b':' | b'-' | b'+' | b'/' | b' ' | b'_' | b'%' => {}
            _ if !byte.is_ascii_alphabetic() || digits == 0 => return false,
            _ if last.is_ascii_alphabetic() => stretch += 1,
            _ if last.is_ascii_digit() || last == b' ' => (units, stretch) = (units + 1, 1),
            _ => return false,
        }
        if stretch > 3 || units > 4 {
            return false;
        }
        last = byte;
    }
    digits > 0 && units * 2 <= digits.max(4)
}

/// Amounts with units of time: `8760h0m0s`, `P30DT12H`.
pub(crate) fn is_duration(text: &[u8]) -> bool {
    const UNITS: [&str; 12] = [
        "y", "mo", "w", "d", "h", "m", "s", "ms", "us", "ns", "t", "dt",
    ];
    let text = match text {
        [b'P', rest @ ..] => rest,
        text => text,
    };
    let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let mut units = text.split(is_digit).filter(|unit| !unit.is_empty());
    let is_unit = |unit: &[u8]| {
        UNITS
            .iter()
            .any(|known| unit.eq_ignore_ascii_case(known.as_bytes()))
    };
    text.iter().any(is_digit) && units.all(is_unit)
}

/// Whether a run of letters and digits in it was made by a machine, whatever signs
/// there are between runs.
pub(crate) fn has_random_run(text: &[u8]) -> bool {
    let text = &text[..text.len().min(1024)];
    text.split(|byte| !byte.is_ascii_alphanumeric())
        .any(|run| is_hex(run) || is_mixed_up(run))
}

/// Digits and nothing else.
pub(crate) fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// A name as Kubernetes objects have it: small letters, digits, `-` and `.`,
/// with a hyphen in it, and perhaps its namespace before a `/`.
pub(crate) fn is_object_name(text: &[u8]) -> bool {
    let is_sign = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'/');
    text.len() <= 253 && text.contains(&b'-') && text.iter().all(is_sign)
}

/// Whether digits stand in the middle of words more than once: `d3pl0y-m3`,
/// as names of objects do not have them.
pub(crate) fn is_disguised(text: &[u8]) -> bool {
    let inside = |window: &&[u8]| {
        window[0].is_ascii_alphabetic()
            && window[1].is_ascii_digit()
            && window[2].is_ascii_alphabetic()
    };
    text.windows(3).filter(inside).count() > 1
}
