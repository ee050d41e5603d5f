//! A text wherever, and in whatever form, it stands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A text as it may stand somewhere: as it is, in hex, and in base64 wherever
/// it begins.
pub(super) fn forms(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut forms = vec![bytes.to_vec()];
    forms.push(
        bytes
            .iter()
            .flat_map(|byte| format!("{byte:02x}").into_bytes())
            .collect(),
    );
    for shift in 0..3 {
        let shifted = [&vec![0; shift][..], bytes].concat();
        let code = STANDARD_NO_PAD.encode(&shifted);
        // What neighbours have a part in is left out.
        let first = [0, 2, 3][shift];
        let last = code.len() - usize::from(shifted.len() % 3 != 0);
        forms.push(code[first..last].into());
    }
    forms
}

pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
