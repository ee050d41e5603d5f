//! How secret material leaves ConfigMaps, and nothing is lost.
//!
//! During admission only new Secrets of random names are created (*staged*).
//! The write of the ConfigMap, with a placeholder in the value's stead, is the
//! commit point. What pods read (the *serving* Secret, of a fixed name) follows
//! from what was committed and from nothing else.
//!
//! Everything here is a decision: state in, action out, without network, clock
//! or randomness of its own. Whoever acts on it is elsewhere.

pub mod admission;
pub mod collection;
mod config_map;
pub mod copies;
pub mod digest;
mod field;
mod held;
pub mod kubelet;
pub mod marks;
pub mod moments;
pub mod names;
pub mod placeholder;
pub mod pod;
pub mod promotion;
pub mod restore;
mod scan;
mod secret;
mod sensitive;

pub use config_map::{ConfigMap, Content, Malformed};
pub use field::Field;
pub use held::Held;
pub use secret::Manifest;
pub use sensitive::Sensitive;
