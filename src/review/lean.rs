//! Reads a body without what nobody will look at.
//!
//! Most of an object is read by no policy, and `metadata.managedFields` alone
//! is a third of what the API server sends of a Pod. What no policy reads is
//! passed over: checked to be JSON, and not built. Everything else is as
//! `serde_json` reads it.

use std::borrow::Cow;
use std::fmt;

use portcullis_contract::reads::{Look, Outline};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The review in a body, with no more of its objects than `outline` says.
///
/// # Errors
///
/// What is no JSON.
pub(super) fn read(body: &[u8], outline: &Outline) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let review = Place::Review(outline).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(review)
}

/// Where in a review a value stands, if not all of it is built.
#[derive(Clone, Copy)]
enum Place<'o> {
    Review(&'o Outline),
    Request(&'o Outline),
    Object(&'o Outline),
    Metadata,
    /// Below an object.
    Part(Look<'o>),
}

/// What becomes of a value.
enum Built<'o> {
    All,
    Some(Place<'o>),
    Nothing,
}

impl<'o> From<Option<Look<'o>>> for Built<'o> {
    fn from(look: Option<Look<'o>>) -> Self {
        match look {
            None => Built::Nothing,
            Some(look) if look.is_whole() => Built::All,
            Some(look) => Built::Some(Place::Part(look)),
        }
    }
}

impl<'o> Place<'o> {
    fn member(self, name: &str) -> Built<'o> {
        match (self, name) {
            (Place::Review(outline), "request") => Built::Some(Place::Request(outline)),
            (Place::Request(outline), "object" | "oldObject") => {
                Built::Some(Place::Object(outline))
            }
            (Place::Object(outline), "metadata") if !outline.has_managed_fields() => {
                Built::Some(Place::Metadata)
            }
            (Place::Object(outline), name) => outline.object().member(name).into(),
            (Place::Metadata, "managedFields") => Built::Nothing,
            (Place::Part(look), name) => look.member(name).into(),
            (Place::Review(_) | Place::Request(_) | Place::Metadata, _) => Built::All,
        }
    }

    fn element(self) -> Built<'o> {
        match self {
            Place::Part(look) => look.element().into(),
            // Nothing of the protocol is a list here: it is read as it is.
            _ => Built::All,
        }
    }
}

/// A value that is read and not built. Unlike serde's `IgnoredAny`, it takes
/// no JSON that would not be taken if it were built: whether a body is refused
/// does not hang on what policies read.
struct Passed;

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Passed)
    }
}

impl<'de> Visitor<'de> for Passed {
    type Value = Passed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Passed, A::Error> {
        while members.next_entry::<Name<'de>, Passed>()?.is_some() {}
        Ok(Passed)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Passed, A::Error> {
        while elements.next_element::<Passed>()?.is_some() {}
        Ok(Passed)
    }

    fn visit_str<E>(self, _: &str) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Passed, E> {
        Ok(Passed)
    }

    fn visit_unit<E>(self) -> Result<Passed, E> {
        Ok(Passed)
    }
}

/// A name that is copied only if it is kept.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(Name(name)) = members.next_key()? {
            let value = match self.member(&name) {
                Built::All => members.next_value()?,
                Built::Some(place) => members.next_value_seed(place)?,
                Built::Nothing => {
                    members.next_value::<Passed>()?;
                    continue;
                }
            };
            map.insert(name.into_owned(), value);
        }
        Ok(Value::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        match self.element() {
            Built::All => {
                while let Some(element) = elements.next_element()? {
                    list.push(element);
                }
            }
            Built::Some(place) => {
                while let Some(element) = elements.next_element_seed(place)? {
                    list.push(element);
                }
            }
            Built::Nothing => while elements.next_element::<Passed>()?.is_some() {},
        }
        Ok(Value::Array(list))
    }

    // What is neither is read as it is.

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
    use portcullis_contract::reads::Reads;
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
        let lean = read(
            review(fields.clone()).to_string().as_bytes(),
            &Outline::whole(false),
        )
        .expect("JSON");
        assert_eq!(lean, review(Value::Null));
    }

    #[test]
    fn what_no_policy_reads_is_passed_over_and_shapes_stay() {
        let reads = Reads::parse([
            "object.spec.list[*].a",
            "object.spec.map.*.b",
            "object.spec.shape.c",
            "oldObject.spec.old",
            "pod.spec.containers[*].image",
        ]);
        let outline = Outline::of([&reads.expect("reads")]);
        let object = json!({"kind": "K", "spec": {
            "list": [{"a": [1], "x": 1}, 7, {"x": 2}], "map": {"m": {"b": "b", "x": "x"}},
            "shape": [1, [2]], "x": {"y": []}, "template": {"spec": {"containers": [
            {"image": "i", "env": []}], "x": 1}}}, "status": {"x": 1}, "data": {"k": "v"}});
        let built = json!({"kind": "K", "spec": {
            "list": [{"a": [1]}, 7, {}], "map": {"m": {"b": "b"}}, "shape": [],
            "template": {"spec": {"containers": [{"image": "i"}]}}}, "data": {"k": "v"}});
        let review =
            |object| json!({"request": {"uid": "u", "options": {"x": 1}, "object": object}});
        let read = read(review(object).to_string().as_bytes(), &outline).expect("JSON");
        assert_eq!(read, review(built));
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
            assert_eq!(
                read(text.as_bytes(), &Outline::whole(false)).expect("JSON"),
                whole,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place_also_where_it_is_passed_over() {
        for text in [
            "{",
            "{}x",
            r#"{"request":{"object":{"metadata":{"managedFields":[}}}}"#,
            r#"{"request":{"object":{"metadata":{"managedFields":[1,]}}}}"#,
            r#"{"request":{"object":{"metadata":{"managedFields":"\ud800"}}}}"#,
            r#"{"request":{"object":{"metadata":{"managedFields":1e999}}}}"#,
        ] {
            let error = read(text.as_bytes(), &Outline::whole(false)).expect_err("no JSON");
            let whole = serde_json::from_str::<Value>(text).expect_err("no JSON");
            let place = |error: &serde_json::Error| (error.line(), error.column());
            assert_eq!(place(&error), place(&whole), "{text}");
        }
    }
}
