//! Sizes and times, as they are typed.

use std::time::Duration;

/// `512KiB`, `8MiB`, `1GiB` in bytes; `off` is 0.
pub(super) fn size(text: &str) -> Result<usize, String> {
    if text == "off" {
        return Ok(0);
    }
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("write a size in KiB, MiB or GiB, or `off`: `8MiB`".into()),
    };
    let bytes = number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    let bytes = bytes.ok_or("write a whole number and KiB, MiB or GiB: `8MiB`")?;
    if bytes < 64 << 10 {
        return Err("that is room for nothing: write 64KiB or more, or `off`".into());
    }
    Ok(bytes)
}

/// `250ms`, `15s`, `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let value: u64 = number
        .parse()
        .map_err(|_| "write a whole number and ms, s or m: `15s`")?;
    match &text[number.len()..] {
        "ms" => Ok(Duration::from_millis(value)),
        "s" => Ok(Duration::from_secs(value)),
        "m" => Ok(Duration::from_secs(value * 60)),
        _ => Err("write a unit, ms, s or m: `15s`".into()),
    }
}

/// A duration of at least ten seconds, or `off`, which is zero.
pub(super) fn period(text: &str) -> Result<Duration, String> {
    if text == "off" {
        return Ok(Duration::ZERO);
    }
    let period = duration(text)?;
    if period < Duration::from_secs(10) {
        return Err("that is too often: write 10s or more, or `off`".into());
    }
    Ok(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        for (text, bytes) in [
            ("off", Some(0)),
            ("64KiB", Some(65_536)),
            ("8MiB", Some(8_388_608)),
            ("1GiB", Some(1_073_741_824)),
            ("8", None),
            ("8MB", None),
            ("63KiB", None),
            ("0MiB", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("5").is_err() && duration("s").is_err());
        assert_eq!(period("off"), Ok(Duration::ZERO));
        assert_eq!(period("60m"), Ok(Duration::from_secs(3_600)));
        assert!(period("9s").is_err() && period("on").is_err());
    }
}
