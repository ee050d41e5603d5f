//! Copies of a ConfigMap that tools keep in its annotations.
//!
//! What can be read is rewritten: the copy then holds the same placeholder as the
//! object, so that `kubectl apply` and its like see no difference. What is known
//! to be a copy and cannot be read may hold the value unseen; the caller refuses.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::STANDARD_NO_PAD};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::field::Field;
use crate::placeholder::{Told, read};

/// The largest copy that is unpacked: the API server takes no larger object.
const LARGEST: u64 = 3 << 20;

/// How a tool writes its copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The object as JSON.
    Json,
    /// The same, gzipped, in base64; plain JSON where it is short.
    Gzip,
    /// An archive that is not read here.
    Archive,
}

/// Annotations that hold a copy of the object that they are on.
const KNOWN: [(&str, Form); 4] = [
    // kubectl apply, client-side.
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        Form::Json,
    ),
    // kapp.
    ("kapp.k14s.io/original", Form::Json),
    // Rancher: wrangler, fleet.
    ("objectset.rio.cattle.io/applied", Form::Gzip),
    // Operators built on Banzai Cloud's libraries: a zip archive in base64.
    ("banzaicloud.com/last-applied", Form::Archive),
];

/// A copy that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The object that a copy holds; nothing where the annotation is not known to
/// hold one, or where what it holds is plain text that no JSON is in.
///
/// # Errors
///
/// A packed copy that cannot be unpacked.
pub fn opened(annotation: &str, text: &str) -> Result<Option<Value>, Unreadable> {
    let Some((_, form)) = KNOWN.iter().find(|(name, _)| *name == annotation) else {
        return Ok(None);
    };
    match form {
        _ if text.trim().is_empty() => Ok(None),
        Form::Json => Ok(serde_json::from_str(text).ok()),
        Form::Gzip => unpacked(text).map(Some),
        Form::Archive => Err(Unreadable),
    }
}

/// The copy with these keys' values in it, written as in JSON, or nothing if that
/// changes nothing. Whatever it holds under one of the keys goes: if it is not the
/// value that is moved, it is a former one.
///
/// # Errors
///
/// A packed copy that cannot be unpacked.
pub fn rewritten(
    annotation: &str,
    text: &str,
    values: &BTreeMap<Field, String>,
) -> Result<Option<String>, Unreadable> {
    let Some(mut copy) = opened(annotation, text)? else {
        return Ok(None);
    };
    if !replace(&mut copy, values) {
        return Ok(None);
    }
    let json = copy.to_string();
    if is_packed(text) {
        return packed(&json).map(Some);
    }
    // kubectl ends its copy with a line break.
    let end = if text.ends_with('\n') { "\n" } else { "" };
    Ok(Some(format!("{json}{end}")))
}

fn replace(copy: &mut Value, values: &BTreeMap<Field, String>) -> bool {
    let mut changed = false;
    for (field, value) in values {
        let held = copy
            .get_mut(field.half.member())
            .and_then(|half| half.get_mut(&field.key));
        let Some(held) = held else { continue };
        if held.as_str() != Some(value) {
            *held = Value::String(value.clone());
            changed = true;
        }
    }
    changed
}

fn is_packed(text: &str) -> bool {
    !text.trim_start().starts_with('{')
}

fn unpacked(text: &str) -> Result<Value, Unreadable> {
    if !is_packed(text) {
        return serde_json::from_str(text).map_err(|_| Unreadable);
    }
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let packed = GeneralPurpose::new(&STANDARD, lenient)
        .decode(text.trim())
        .map_err(|_| Unreadable)?;
    let mut json = Vec::new();
    let mut reader = GzDecoder::new(packed.as_slice()).take(LARGEST + 1);
    reader.read_to_end(&mut json).map_err(|_| Unreadable)?;
    if json.len() as u64 > LARGEST {
        return Err(Unreadable);
    }
    serde_json::from_slice(&json).map_err(|_| Unreadable)
}

/// Without a time in its header: the same copy is always the same text.
fn packed(json: &str) -> Result<String, Unreadable> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(json.as_bytes()).map_err(|_| Unreadable)?;
    let packed = writer.finish().map_err(|_| Unreadable)?;
    Ok(STANDARD_NO_PAD.encode(packed))
}

/// Whether a text is a placeholder, or one in base64.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let told = |bytes: &[u8]| matches!(read(bytes), Told::Placeholder(_));
    told(text.as_bytes())
        || base64::engine::general_purpose::STANDARD
            .decode(text)
            .is_ok_and(|bytes| told(&bytes))
}
