//! The fail-closed side: judges what would be stored.

use super::judge::judge;
use super::{Code, Denial, Input};

/// Whether the final object may be stored: no value that detection knows is left
/// in it where it is to be moved, none stands where a placeholder stood, and each
/// placeholder is the old object's or was issued in this request. Takes the same
/// input as [`super::plan`]; `staged` is not used.
///
/// # Errors
///
/// What is wrong, for the user.
pub fn verify(input: &Input<'_>) -> Result<(), Denial> {
    let judged = judge(input)?;
    let left = judged.compare.keys().chain(judged.fresh.keys());
    let left: Vec<_> = left.collect();
    if left.is_empty() {
        return Ok(());
    }
    let what = "a value that belongs in a Secret was put in after Portcullis had looked, or it \
                was not asked; try again";
    Err(Denial::of(Code::NotMoved, left, what))
}
