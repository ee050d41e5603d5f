//! What is stored of a ConfigMap or Secret: the protobuf of k8s.io/api/core/v1 (generated.proto),
//! read without any code of Kubernetes.

use std::collections::BTreeMap;

/// What every object in protobuf begins with (k8s.io/apimachinery, serializer/protobuf).
const MAGIC: &[u8] = b"k8s\0";

/// A ConfigMap or Secret. Both have their metadata and `data` in the same places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.creationTimestamp`, in seconds since 1970.
    pub created: u64,
    /// `data`, which is text in a ConfigMap and bytes in a Secret.
    pub data: BTreeMap<String, Vec<u8>>,
    /// `binaryData` of a ConfigMap.
    pub binary: BTreeMap<String, Vec<u8>>,
}

impl Object {
    /// Reads one; None for what is no protobuf of an object.
    pub fn read(stored: &[u8]) -> Option<Object> {
        let unknown = fields(stored.strip_prefix(MAGIC)?)?;
        // Unknown: 2 is the object itself. ConfigMap and Secret: 1 metadata, 2 data; 3 is
        // binaryData of the one and the type, a text, of the other.
        let raw = fields(bytes(&unknown, 2)?)?;
        let meta = fields(bytes(&raw, 1)?)?;
        let text = |number| bytes(&meta, number).map(lossy).unwrap_or_default();
        let texts = |number| {
            let all = map(&meta, number).into_iter();
            all.map(|(key, value)| (key, lossy(&value))).collect()
        };
        // Time: 1 is seconds.
        let created = bytes(&meta, 8).and_then(fields);
        let created = created.and_then(|time| match time.first() {
            Some((1, Field::Number(seconds))) => Some(*seconds),
            _ => None,
        });
        Some(Object {
            name: text(1),
            uid: text(5),
            created: created.unwrap_or_default(),
            labels: texts(11),
            annotations: texts(12),
            data: map(&raw, 2),
            binary: map(&raw, 3),
        })
    }
}

enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a message, in the order in which they stand; None for what is none.
fn fields(mut message: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut all = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)?),
            1 => Field::Bytes(take(&mut message, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                Field::Bytes(take(&mut message, length)?)
            }
            5 => Field::Bytes(take(&mut message, 4)?),
            _ => return None,
        };
        all.push((tag >> 3, field));
    }
    Some(all)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'b>(message: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(taken)
}

fn bytes<'b>(fields: &[(u64, Field<'b>)], number: u64) -> Option<&'b [u8]> {
    fields.iter().find_map(|(known, field)| match field {
        Field::Bytes(bytes) if *known == number => Some(*bytes),
        _ => None,
    })
}

/// A map: each entry is a message of a key (1) and a value (2).
fn map(all: &[(u64, Field<'_>)], number: u64) -> BTreeMap<String, Vec<u8>> {
    let entries = all.iter().filter_map(|(known, field)| match field {
        Field::Bytes(entry) if *known == number => fields(entry),
        _ => None,
    });
    let pair = |entry: Vec<(u64, Field<'_>)>| {
        let key = lossy(bytes(&entry, 1)?);
        Some((key, bytes(&entry, 2).unwrap_or_default().to_vec()))
    };
    entries.filter_map(pair).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn what_is_cut_short_is_no_object() {
        assert_eq!(Object::read(b"{}"), None);
        assert_eq!(Object::read(b"k8s\0\x12\x05\x0a\x03\x0a\x09a"), None);
        let whole = Object::read(b"k8s\0\x12\x05\x0a\x03\x0a\x01a").expect("an object");
        assert_eq!(whole.name, "a");
    }
}
