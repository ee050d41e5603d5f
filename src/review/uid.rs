//! The uid of a body that is no complete review.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

/// `request.uid`, if the body can be read up to there, whatever comes after.
/// Everything else is passed over without recursion, so that no depth of
/// nesting hides it.
pub(super) fn find(body: &[u8]) -> Option<String> {
    let mut found = None;
    let mut body = serde_json::Deserializer::from_slice(body);
    let member = Member {
        path: &["request", "uid"],
        found: &mut found,
    };
    // Where reading ends does not matter: the body is known to be faulty.
    let _ = member.deserialize(&mut body);
    found.filter(|uid| !uid.is_empty())
}

/// The text at a path of members, kept as soon as it is read.
struct Member<'a> {
    path: &'a [&'static str],
    found: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.path.is_empty() {
            *self.found = Some(String::deserialize(deserializer)?);
            return Ok(());
        }
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if self.path.first().is_some_and(|first| *first == name) {
                let path = self.path.get(1..).unwrap_or_default();
                let found = &mut *self.found;
                map.next_value_seed(Member { path, found })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
