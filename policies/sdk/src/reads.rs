//! Which fields a type is deserialized from.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The reads of a type (see `portcullis_contract::reads`). Derive it beside
/// `Deserialize`.
pub trait Reads {
    /// Adds the reads of a value of this type at `prefix`.
    fn reads(prefix: &str, out: &mut BTreeSet<String>);
}

/// Deeper than any Kubernetes object; only a type that holds itself gets here.
const MAX_STEPS: usize = 64;

/// Everything at `prefix`.
pub fn whole(prefix: &str, out: &mut BTreeSet<String>) {
    out.insert(prefix.to_owned());
}

/// The member `name` of a map at `prefix`.
///
/// # Panics
///
/// If the path is 64 steps long: the type holds itself, and its reads would
/// have no end. Read such a place as `serde_json::Value`.
pub fn member(prefix: &str, name: &str) -> String {
    let steps = prefix
        .bytes()
        .filter(|byte| matches!(byte, b'.' | b'['))
        .count();
    assert!(
        steps < MAX_STEPS,
        "a type that holds itself has no reads: take a serde_json::Value"
    );
    let is_plain = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    match (is_plain, prefix) {
        (true, "") => name.to_owned(),
        (true, prefix) => format!("{prefix}.{name}"),
        (false, prefix) => format!("{prefix}[{}]", serde_json::Value::from(name)),
    }
}

macro_rules! leaves {
    ($($leaf:ty),*) => {$(
        impl Reads for $leaf {
            fn reads(prefix: &str, out: &mut BTreeSet<String>) {
                whole(prefix, out);
            }
        }
    )*};
}

leaves!(
    bool,
    char,
    String,
    &str,
    Cow<'_, str>,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    serde_json::Value,
    serde_json::Number,
    portcullis_contract::LabelSelector,
    ()
);

macro_rules! transparent {
    ($($wrapper:ty),*) => {$(
        impl<T: Reads> Reads for $wrapper {
            fn reads(prefix: &str, out: &mut BTreeSet<String>) {
                T::reads(prefix, out);
            }
        }
    )*};
}

transparent!(Option<T>, Box<T>, std::rc::Rc<T>, std::sync::Arc<T>);

macro_rules! steps {
    ($(($($generics:tt)*) $collection:ty, $item:ty, $step:literal;)*) => {$(
        impl<$($generics)*> Reads for $collection {
            fn reads(prefix: &str, out: &mut BTreeSet<String>) {
                <$item>::reads(&format!("{prefix}{}", $step), out);
            }
        }
    )*};
}

steps!(
    (T: Reads) Vec<T>, T, "[*]";
    (T: Reads) BTreeSet<T>, T, "[*]";
    (T: Reads) std::collections::VecDeque<T>, T, "[*]";
    (K, T: Reads) BTreeMap<K, T>, T, ".*";
    (K, T: Reads, S) HashMap<K, T, S>, T, ".*";
);
