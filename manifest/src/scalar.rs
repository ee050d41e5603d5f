//! What a plain scalar means, as kubectl's YAML reader has it.
//!
//! Source of every rule: what kubectl 1.36 printed (design: dependencies.md,
//! YAML), which follows YAML 1.1 where YAML 1.2 differs. The tests below hold
//! the same table.

use serde_json::{Number, Value};

/// Why a scalar has no JSON form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoJson;

/// A plain scalar without a tag.
pub(crate) fn plain(text: &str) -> Result<Value, NoJson> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Ok(Value::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(Value::Bool(false));
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => return Err(NoJson),
        _ => {}
    }
    let starts_number =
        text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    let number = if starts_number { number(text) } else { None };
    Ok(number.map_or_else(|| Value::from(text), Value::Number))
}

fn number(text: &str) -> Option<Number> {
    // Digits may be grouped by underscores, but for those that start with a
    // point.
    let digits = if text.starts_with('.') {
        text.to_owned()
    } else {
        text.replace('_', "")
    };
    integer(&digits).or_else(|| float(&digits))
}

/// Decimal, `0x`, `0b`, and octal as `0644` or `0o644`.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if negative { -magnitude } else { magnitude };
    match i64::try_from(value) {
        Ok(value) => Some(value.into()),
        // The API server holds what passes 63 bits as a float.
        Err(_) => whole_or_float(value as f64),
    }
}

fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_mantissa = match mantissa.split_once('.') {
        Some(("", after)) => !after.is_empty() && all_digits(after),
        Some((before, after)) => all_digits(before) && all_digits(after),
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    let is_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    if !is_mantissa || !is_exponent {
        return None;
    }
    text.parse::<f64>()
        .ok()
        .filter(|value| value.is_finite())
        .and_then(whole_or_float)
}

/// Floats without a fraction are integers once they went through JSON.
fn whole_or_float(value: f64) -> Option<Number> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value) {
        return Some((value as i64).into());
    }
    Number::from_f64(value)
}

/// A scalar as the key of a map. None for null, which cannot be one.
pub(crate) fn key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_are_what_kubectl_makes_of_them() {
        for (text, expected) in [
            ("yes", json!(true)),
            ("y", json!(true)),
            ("Y", json!(true)),
            ("on", json!(true)),
            ("TRUE", json!(true)),
            ("n", json!(false)),
            ("No", json!(false)),
            ("off", json!(false)),
            ("tRue", json!("tRue")),
            ("~", json!(null)),
            ("NULL", json!(null)),
            ("", json!(null)),
            ("0644", json!(420)),
            ("0o644", json!(420)),
            ("-0644", json!(-420)),
            ("00123", json!(83)),
            ("089", json!(89)),
            ("0x1F", json!(31)),
            ("0x_1f", json!(31)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("1__0", json!(10)),
            ("1e3", json!(1000)),
            ("1.", json!(1)),
            ("1.0", json!(1)),
            (".5", json!(0.5)),
            ("0.10", json!(0.1)),
            ("12:30:45", json!("12:30:45")),
            ("2026-01-01", json!("2026-01-01")),
            ("=", json!("=")),
            ("+1", json!(1)),
            ("-0", json!(0)),
            ("12345678901234567890", json!(12_345_678_901_234_567_000.0)),
            ("1e400", json!("1e400")),
            ("1.2.3", json!("1.2.3")),
            ("-", json!("-")),
            ("+", json!("+")),
            (".", json!(".")),
            ("0x", json!("0x")),
            ("1e", json!("1e")),
            ("0", json!(0)),
            ("100m", json!("100m")),
            ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
        ] {
            assert_eq!(plain(text), Ok(expected), "{text:?}");
        }
        assert_eq!(plain(".inf"), Err(NoJson));
        assert_eq!(plain(".NaN"), Err(NoJson));
    }

    #[test]
    fn keys_are_texts() {
        for (text, expected) in [
            ("1", "1"),
            ("true", "true"),
            ("yes", "true"),
            ("1.5", "1.5"),
            ("0644", "420"),
        ] {
            let key = plain(text).ok().and_then(|value| key(&value));
            assert_eq!(key.as_deref(), Some(expected));
        }
        assert_eq!(key(&Value::Null), None);
    }
}
