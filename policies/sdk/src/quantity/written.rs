//! Quantities with the text that somebody wrote.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{ParseError, Quantity};
use crate::Reads;

/// A quantity as it stands in an object: `cpu: 100m`, `cpu: 1`, `cpu: 0.5`.
///
/// Deserializes from anything: what is no quantity is something to report,
/// not a request that cannot be read. Null is zero, as it is to the API
/// server, and blanks around a quantity are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<'a> {
    text: Cow<'a, str>,
    quantity: Result<Quantity, ParseError>,
}

/// A quantity in a policy's settings: a string or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting(Written<'static>);

impl<'a> Written<'a> {
    fn new(text: Cow<'a, str>) -> Self {
        let quantity = text.trim().parse();
        Written { text, quantity }
    }

    /// As it was written; numbers as decimals. What is neither text nor
    /// number is named by its shape.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it amounts to.
    ///
    /// # Errors
    ///
    /// It is no quantity.
    pub fn quantity(&self) -> Result<Quantity, ParseError> {
        self.quantity
    }

    fn into_owned(self) -> Written<'static> {
        Written {
            text: Cow::Owned(self.text.into_owned()),
            quantity: self.quantity,
        }
    }
}

impl Reads for Written<'_> {
    fn reads(prefix: &str, out: &mut BTreeSet<String>) {
        crate::reads::whole(prefix, out);
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Written<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

impl std::ops::Deref for Setting {
    type Target = Written<'static>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Setting(Written::new(Cow::Owned(text.to_owned())))
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = deserializer.deserialize_any(Any)?;
        Ok(Setting(written.into_owned()))
    }
}

impl JsonSchema for Setting {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number"]})
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Written<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Written::new(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Written::new(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Written::new(Cow::Owned(number.to_string())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Written::new(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Written::new(Cow::Owned(number.to_string())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Written::new(Cow::Borrowed(if value {
            "true"
        } else {
            "false"
        })))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Written {
            text: Cow::Borrowed("null"),
            quantity: Ok(Quantity::ZERO),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Written::new(Cow::Borrowed("a list")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Written::new(Cow::Borrowed("a map")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> (String, Option<i128>) {
        let written: Written<'_> = serde_json::from_str(json).expect(json);
        let nanos = written.quantity().ok().map(Quantity::nanos);
        (written.text().to_owned(), nanos)
    }

    #[test]
    fn strings_numbers_and_null_are_quantities_and_keep_their_text() {
        let one = Quantity::ONE.nanos();
        for (json, text, expected) in [
            (r#""100m""#, "100m", Some(one / 10)),
            (r#"" 1Ki ""#, " 1Ki ", Some(1024 * one)),
            (r#""\u0031""#, "1", Some(one)),
            ("1", "1", Some(one)),
            ("-1", "-1", Some(-one)),
            ("0.5", "0.5", Some(one / 2)),
            ("0.1", "0.1", Some(one / 10)),
            ("1e3", "1000", Some(1000 * one)),
            ("null", "null", Some(0)),
            (r#""half""#, "half", None),
            ("true", "true", None),
            ("[1, [2]]", "a list", None),
            (r#"{"a": {"b": 1}}"#, "a map", None),
        ] {
            assert_eq!(read(json), (text.to_owned(), expected), "{json}");
        }
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let written: Written<'_> = serde_json::from_str(r#""1Gi""#).expect("a quantity");
        assert!(matches!(written.text, Cow::Borrowed("1Gi")));
    }

    #[test]
    fn settings_take_strings_and_numbers() {
        for (json, text) in [(r#""1Gi""#, "1Gi"), ("0.5", "0.5"), ("2", "2")] {
            let setting: Setting = serde_json::from_str(json).expect(json);
            assert_eq!(setting, Setting::from(text));
        }
    }
}
