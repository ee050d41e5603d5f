//! From text to billionths.
//!
//! Odd texts are read as oddly as upstream reads them, since what is judged
//! is what the API server will make of them: `+`, `.` and `Ki` are zero,
//! `Pi` is an error. tests/it/quantity.rs compares the two.

use super::ONE;

/// Digits after the point of a billionth.
const DECIMALS: i64 = 9;
/// The most that a quantity with a binary unit amounts to.
const BINARY_MAX: i128 = i64::MAX as i128 * ONE;

/// What a number is multiplied with.
#[derive(Clone, Copy)]
enum Unit {
    /// A power of ten.
    Ten(i32),
    /// A power of two.
    Two(u32),
}

/// A quantity's text, taken apart.
struct Parts<'t> {
    is_negative: bool,
    integer: &'t [u8],
    fraction: &'t [u8],
    unit: Unit,
}

/// The quantity in billionths; None for what is no quantity.
pub(super) fn nanos(text: &str) -> Option<i128> {
    let parts = split(text.as_bytes())?;
    let has_digits = !parts.integer.is_empty() || !parts.fraction.is_empty();
    if !has_digits && !parts.unit.stands_alone() {
        return None;
    }
    let nanos = match parts.unit {
        Unit::Ten(exponent) => decimal(parts.integer, parts.fraction, exponent),
        Unit::Two(exponent) => binary(parts.integer, parts.fraction, exponent),
    };
    Some(if parts.is_negative { -nanos } else { nanos })
}

fn split(text: &[u8]) -> Option<Parts<'_>> {
    if text.is_empty() {
        return None;
    }
    let is_sign = |byte: &&u8| matches!(byte, b'+' | b'-');
    let sign = text.first().filter(is_sign);
    let (integer, rest) = digits(&text[usize::from(sign.is_some())..]);
    let (fraction, unit) = match rest {
        [b'.', rest @ ..] => digits(rest),
        rest => (&[][..], rest),
    };
    Some(Parts {
        is_negative: sign == Some(&b'-'),
        integer,
        fraction,
        unit: Unit::read(unit)?,
    })
}

/// The digits at the start, and what follows them.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

impl Unit {
    fn read(text: &[u8]) -> Option<Unit> {
        Some(match text {
            b"n" => Unit::Ten(-9),
            b"u" => Unit::Ten(-6),
            b"m" => Unit::Ten(-3),
            b"" => Unit::Ten(0),
            b"k" => Unit::Ten(3),
            b"M" => Unit::Ten(6),
            b"G" => Unit::Ten(9),
            b"T" => Unit::Ten(12),
            b"P" => Unit::Ten(15),
            b"E" => Unit::Ten(18),
            b"Ki" => Unit::Two(10),
            b"Mi" => Unit::Two(20),
            b"Gi" => Unit::Two(30),
            b"Ti" => Unit::Two(40),
            b"Pi" => Unit::Two(50),
            b"Ei" => Unit::Two(60),
            [b'e' | b'E', exponent @ ..] => Unit::Ten(exponent_of(exponent)?),
            _ => return None,
        })
    }

    /// Whether upstream takes the unit without a number for zero: it does
    /// where its quick path does, which has no need of the digits.
    fn stands_alone(self) -> bool {
        match self {
            Unit::Ten(exponent) => i64::from(exponent) >= -DECIMALS,
            Unit::Two(exponent) => exponent <= 40,
        }
    }
}

/// Upstream reads 64 bits and keeps 32 of them.
#[allow(
    clippy::cast_possible_truncation,
    reason = "upstream truncates, and what it reads is what counts"
)]
fn exponent_of(text: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<i64>().ok().map(|exponent| exponent as i32)
}

/// Rounded up to a whole billionth.
fn decimal(integer: &[u8], fraction: &[u8], exponent: i32) -> i128 {
    let places = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
    // Both are 32 bits wide upstream, and so is their difference.
    let shift = i64::from(exponent.wrapping_sub(places)) + DECIMALS;
    let count = integer.len() + fraction.len();
    let dropped = usize::try_from(-shift).unwrap_or(0).min(count);
    let digits = || integer.iter().chain(fraction);
    let mut nanos = whole(digits().take(count - dropped));
    for _ in 0..shift {
        if nanos == 0 || nanos == i128::MAX {
            break;
        }
        nanos = nanos.saturating_mul(10);
    }
    let is_inexact = digits().skip(count - dropped).any(|digit| *digit != b'0');
    nanos.saturating_add(i128::from(is_inexact))
}

/// Rounded up to a whole billionth, and capped.
fn binary(integer: &[u8], fraction: &[u8], exponent: u32) -> i128 {
    let unit = (1 << exponent) * ONE;
    let mut part = 0;
    let mut is_inexact = false;
    // From the last digit on, so that each step divides by ten only what the
    // digits after it left: floors of floors are the floor of the whole.
    for digit in fraction.iter().rev() {
        let sum = i128::from(digit - b'0') * unit + part;
        part = sum / 10;
        is_inexact |= sum % 10 != 0;
    }
    let nanos = whole(integer.iter()).saturating_mul(unit);
    let nanos = nanos.saturating_add(part + i128::from(is_inexact));
    nanos.min(BINARY_MAX)
}

/// The number that these digits are.
fn whole<'t>(digits: impl Iterator<Item = &'t u8>) -> i128 {
    digits.fold(0, |number: i128, digit| {
        let number = number.saturating_mul(10);
        number.saturating_add(i128::from(digit - b'0'))
    })
}
