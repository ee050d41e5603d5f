//! Reads a body without what nobody will look at.
//!
//! `metadata.managedFields` is a third of what the API server sends of a Pod,
//! in many small nodes. Where no policy reads it, it is passed over: checked
//! to be JSON, and not built. Everything else is as `serde_json` reads it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The review in a body, without the `managedFields` of its objects.
///
/// # Errors
///
/// What is no JSON.
pub(super) fn read(body: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let review = Place::Review.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(review)
}

/// Where in a review a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Review,
    Request,
    Object,
    Metadata,
}

impl Place {
    /// The place of a member; None for what is read as it is.
    fn below(self, member: &str) -> Option<Place> {
        match (self, member) {
            (Place::Review, "request") => Some(Place::Request),
            (Place::Request, "object" | "oldObject") => Some(Place::Object),
            (Place::Object, "metadata") => Some(Place::Metadata),
            _ => None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = match self.below(&name) {
                Some(place) => members.next_value_seed(place)?,
                None if self == Place::Metadata && name == "managedFields" => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
                None => members.next_value()?,
            };
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }

    // Wherever something else than a map stands, it is read as it is.

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_managed_fields_of_the_objects_are_passed_over() {
        let fields = json!([{"manager": "kubectl", "fieldsV1": {"f:data": {}}}]);
        let object = |more: Value| {
            let mut metadata = json!({"name": "n", "labels": {"managedFields": "x"}});
            if !more.is_null() {
                metadata["managedFields"] = more;
            }
            json!({"metadata": metadata, "managedFields": fields, "spec": {"metadata":
                {"managedFields": fields}, "n": [1, -2, 3.5, true, null, "x"]}})
        };
        let review = |more: Value| {
            json!({"kind": "AdmissionReview", "metadata": {"managedFields": fields},
                "request": {"uid": "u", "options": {"metadata": {"managedFields": fields}},
                    "object": object(more.clone()), "oldObject": object(more)}})
        };
        let lean = read(review(fields.clone()).to_string().as_bytes()).expect("JSON");
        assert_eq!(lean, review(Value::Null));
    }

    #[test]
    fn other_shapes_are_read_as_they_are() {
        for text in [
            "null",
            "[]",
            "\"x\"",
            "1",
            "-1",
            "1.5e300",
            "18446744073709551615",
            "false",
            r#"{"request":[{"object":1}]}"#,
            r#"{"request":{"object":"x","oldObject":null}}"#,
            r#"{"request":{"object":{"metadata":[{"managedFields":1}]}}}"#,
            r#"{"request":1,"request":{"uid":"a","uid":"b"}}"#,
        ] {
            let whole: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(read(text.as_bytes()).expect("JSON"), whole, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place_also_where_it_is_passed_over() {
        for text in [
            "{",
            "{}x",
            r#"{"request":{"object":{"metadata":{"managedFields":[}}}}"#,
            r#"{"request":{"object":{"metadata":{"managedFields":[1,]}}}}"#,
        ] {
            let error = read(text.as_bytes()).expect_err("no JSON");
            let whole = serde_json::from_str::<Value>(text).expect_err("no JSON");
            let place = |error: &serde_json::Error| (error.line(), error.column());
            assert_eq!(place(&error), place(&whole), "{text}");
        }
    }
}
