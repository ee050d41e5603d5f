//! What parent and child say to each other: one line of JSON, then bytes.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::policy::Failure;
use crate::policy::spec::Limits;
use crate::wasm::{AddressSpace, Start};

/// The line before the component.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) space: AddressSpace,
    pub(super) settings: String,
    pub(super) limits: Limits,
}

/// The line before the machine code, of which a failure has none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Answer {
    Compiled { start: Start, bytes: usize },
    Failed(Failure),
}

pub(super) fn encode(head: &impl Serialize, body: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(head)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// None for what [`encode`] did not make of such a head.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let head = serde_json::from_slice(&bytes[..end]).ok()?;
    Some((head, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_bytes_may_hold_line_ends() {
        let order = Order {
            space: AddressSpace::Checked,
            settings: "a\nb".into(),
            limits: Limits::default(),
        };
        let bytes = encode(&order, b"\n\0\n").expect("it can be written");
        let (read, body) = decode::<Order>(&bytes).expect("it can be read");
        assert_eq!((read.settings.as_str(), body), ("a\nb", &b"\n\0\n"[..]));
        assert!(decode::<Answer>(&bytes).is_none());
        assert!(decode::<Order>(b"").is_none());
    }
}
