//! Labels and annotations that relocation writes. They are for people, for
//! selectors and for the reconciler's own bookkeeping; no verdict on a request
//! rests on one, since users can write them too.

/// Label of a ConfigMap that a key has moved out of. Its value changes with the set
/// of placeholders, and no value of it comes back: a promoter tells by it "nothing
/// is moved any more" from "nothing was moved yet". See [`crate::promotion`].
pub const MOVED: &str = "portcullis.dev/moved";

/// Label of Secrets that relocation wrote: [`STAGED`] or [`SERVING`].
pub const ROLE: &str = "portcullis.dev/relocation";
/// [`ROLE`] of a staged Secret.
pub const STAGED: &str = "staged";
/// [`ROLE`] of a serving Secret.
pub const SERVING: &str = "serving";

/// Annotation of such a Secret: the ConfigMap that it was written for, or what
/// the ConfigMap's name begins with (`generateName`).
pub const CONFIG_MAP: &str = "portcullis.dev/config-map";

/// Annotation of a serving Secret: for each key the placeholder that its value
/// was taken by, or nothing where the ConfigMap still holds the value. JSON.
pub const MADE_FROM: &str = "portcullis.dev/made-from";

/// Annotation of a serving Secret: what state of the ConfigMap it was made from.
pub const STATE: &str = "portcullis.dev/state";
