//! One page of a list, object by object: only one of them is a tree at a time.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// What a page says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Where the next page goes on; None on the last.
    #[serde(rename = "continue")]
    pub next: Option<String>,
    /// How many objects come after this page, if that is known.
    pub remaining_item_count: Option<u64>,
}

/// Gives each object of a page to `take`, in order; what the page says of
/// itself, and how many there were.
///
/// # Errors
///
/// It is no JSON, or no list. What came before it was taken.
pub fn read(text: &str, take: &mut dyn FnMut(Value)) -> serde_json::Result<(Head, usize)> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = List { take }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(read)
}

struct List<'t> {
    take: &'t mut dyn FnMut(Value),
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = (Head, usize);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = (Head, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of the API server")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut head, mut count) = (None, None);
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "metadata" => {
                    head = Some(members.next_value::<Option<Head>>()?.unwrap_or_default());
                }
                "items" => count = Some(members.next_value_seed(Items(&mut *self.take))?),
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        let missing = |member| serde::de::Error::missing_field(member);
        Ok((
            head.ok_or_else(|| missing("metadata"))?,
            count.ok_or_else(|| missing("items"))?,
        ))
    }
}

struct Items<'t>(&'t mut dyn FnMut(Value));

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the objects of a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while let Some(object) = elements.next_element()? {
            (self.0)(object);
            count += 1;
        }
        Ok(count)
    }

    /// How Go writes an empty list that nobody made.
    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn objects(text: &str) -> serde_json::Result<(Head, Vec<Value>)> {
        let mut objects = vec![];
        let (head, count) = read(text, &mut |object| objects.push(object))?;
        assert_eq!(count, objects.len());
        Ok((head, objects))
    }

    #[test]
    fn objects_come_in_order_with_where_to_go_on() {
        let page = json!({"kind": "PodList", "apiVersion": "v1",
            "metadata": {"resourceVersion": "7", "continue": "abc", "remainingItemCount": 3},
            "items": [{"a": 1}, {"b": [2]}]});
        let (head, found) = objects(&page.to_string()).expect("a page");
        assert_eq!(head.next.as_deref(), Some("abc"));
        assert_eq!(head.remaining_item_count, Some(3));
        assert_eq!(found, [json!({"a": 1}), json!({"b": [2]})]);
    }

    #[test]
    fn an_empty_list_is_none_or_null() {
        for items in ["[]", "null"] {
            let page = format!(r#"{{"metadata": {{}}, "items": {items}}}"#);
            let (head, found) = objects(&page).expect("a page");
            assert_eq!((head, found), (Head::default(), vec![]));
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"items": []}"#,
            r#"{"metadata": {}}"#,
            r#"{"metadata": {}, "items": 1}"#,
            r#"{"metadata": {}, "items": []} x"#,
        ] {
            assert!(objects(text).is_err(), "{text}");
        }
    }
}
