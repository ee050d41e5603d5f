//! Kubernetes quantities (`500m`, `1.5Gi`, `2e3`), exactly as the API server
//! reads them.

use std::fmt;
use std::str::FromStr;

mod parse;
mod written;

pub use written::{Setting, Written};

/// Nanos of one.
const ONE: i128 = 1_000_000_000;

/// An amount of a resource, in billionths: nothing finer exists.
///
/// Read as `ParseQuantity` of `k8s.io/apimachinery/pkg/api/resource` reads it
/// (v0.36): what is finer than a billionth is rounded away from zero, and
/// amounts with a binary unit are capped at 2^63-1. Decimal ones are not
/// capped there, whatever its documentation says; here they end at 2^127-1
/// billionths (1.7e29), far beyond any resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i128);

/// A text that is no quantity. Its `Display` says what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseError;

impl Quantity {
    /// Nothing of a resource.
    pub const ZERO: Quantity = Quantity(0);
    /// One of it: a core, a byte, a device.
    pub const ONE: Quantity = Quantity(ONE);

    /// The amount in billionths.
    pub fn nanos(self) -> i128 {
        self.0
    }

    /// Whether it is nothing, however written.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is less than nothing.
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether it has no fraction.
    pub fn is_whole(self) -> bool {
        self.0 % ONE == 0
    }

    /// Whether it is more than `ratio` times `base`, exactly. Signs are not
    /// looked at.
    pub fn exceeds(self, ratio: Quantity, base: Quantity) -> bool {
        let wide = |left: i128, right: i128| product(left.unsigned_abs(), right.unsigned_abs());
        wide(self.0, ONE) > wide(ratio.0, base.0)
    }
}

/// The product in full: its upper and its lower half.
fn product(left: u128, right: u128) -> (u128, u128) {
    let halves = |number: u128| (number >> 64, number & u128::from(u64::MAX));
    let ((left_high, left_low), (right_high, right_low)) = (halves(left), halves(right));
    let (carry, low) = halves(left_low * right_low);
    let (carry_one, middle) = halves(left_high * right_low + carry);
    let (carry_two, middle) = halves(left_low * right_high + middle);
    (
        left_high * right_high + carry_one + carry_two,
        (middle << 64) | low,
    )
}

impl FromStr for Quantity {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse::nanos(text).map(Quantity).ok_or(ParseError)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "write a number with at most one unit, as in `500m`, `0.5` or `128Mi`; \
             units are n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi and Ei",
        )
    }
}

impl std::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> Option<i128> {
        text.parse().ok().map(Quantity::nanos)
    }

    #[test]
    fn every_unit_means_what_it_says() {
        for (text, expected) in [
            ("1n", 1),
            ("1u", 1_000),
            ("1m", 1_000_000),
            ("1", ONE),
            ("1k", 1_000 * ONE),
            ("1M", 1_000_000 * ONE),
            ("1G", 1_000_000_000 * ONE),
            ("1T", 1_000_000_000_000 * ONE),
            ("1P", 1_000_000_000_000_000 * ONE),
            ("1E", 1_000_000_000_000_000_000 * ONE),
            ("1Ki", 1024 * ONE),
            ("1Mi", (1 << 20) * ONE),
            ("1Gi", (1 << 30) * ONE),
            ("1Ti", (1 << 40) * ONE),
            ("1Pi", (1 << 50) * ONE),
            ("1Ei", (1 << 60) * ONE),
            ("1e3", 1_000 * ONE),
            ("1E+3", 1_000 * ONE),
            ("1.5e-3", 1_500_000),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn fractions_signs_and_zeros_are_read() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("000.000Gi", 0),
            (".5", ONE / 2),
            ("5.", 5 * ONE),
            ("+1.5", 3 * ONE / 2),
            ("-0.5m", -500_000),
            ("1.5Gi", 1536 * (1 << 20) * ONE),
            ("00012", 12 * ONE),
            ("0.1", ONE / 10),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_finer_than_a_billionth_is_rounded_away_from_zero() {
        for (text, expected) in [
            ("0.1n", 1),
            ("-0.1n", -1),
            ("1.0000000001", ONE + 1),
            ("1.0000000000", ONE),
            ("1e-2000", 1),
            ("0e-2000", 0),
            // 0.0000000000001 Ki is 102.4 billionths of a billionth.
            ("0.0000000000001Ki", 1),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn binary_units_are_capped_and_decimal_ones_saturate() {
        let cap = i128::from(i64::MAX) * ONE;
        for (text, expected) in [
            ("8Ei", cap),
            ("-8Ei", -cap),
            ("7.99999999999999999999999Ei", cap),
            ("9223372036854775807Ki", cap),
            ("9223372036854775808", (i128::from(i64::MAX) + 1) * ONE),
            ("100E", 100_000_000_000_000_000_000 * ONE),
            ("1e400", i128::MAX),
            ("-1e400", -i128::MAX),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "",
            " 1",
            "1 ",
            "128MB",
            "1gb",
            "1mi",
            "1K",
            "1e",
            "1e+",
            "1Kii",
            "1.2.3",
            "0x10",
            "1_000",
            "1,5",
            "100 m",
            "--1",
            "+-1",
            "1e1.5",
            "NaN",
            "inf",
            "½",
            "1m5",
            "1i",
            "1e99999999999999999999",
            "Pi",
            "Ei",
            "e-10",
        ] {
            assert_eq!(nanos(text), None, "{text}");
        }
        assert!(!ParseError.to_string().contains('\n'));
    }

    #[test]
    fn quantities_compare_by_what_they_amount_to() {
        let read = |text: &str| text.parse::<Quantity>().expect(text);
        assert_eq!(read("1"), read("1000m"));
        assert_eq!(read("1Gi"), read("1073741824"));
        assert!(read("1G") < read("1Gi"));
        assert!(read("-1") < Quantity::ZERO && read("-1").is_negative());
        assert!(read("0.0Ki").is_zero() && !read("1n").is_zero());
        assert!(read("2000m").is_whole() && !read("1500m").is_whole());
    }

    #[test]
    fn ratios_are_exact_however_large() {
        let read = |text: &str| text.parse::<Quantity>().expect(text);
        let exceeds = |limit, ratio, request| read(limit).exceeds(read(ratio), read(request));
        assert!(!exceeds("4", "4", "1") && exceeds("4.000000001", "4", "1"));
        assert!(!exceeds("300m", "1.5", "200m") && exceeds("301m", "1.5", "200m"));
        assert!(exceeds("1e29", "9999999999", "1e19"));
        assert!(!exceeds("1e29", "10000000000", "1e19"));
        assert!(!exceeds("1e400", "1e400", "1e400"));
    }
}
