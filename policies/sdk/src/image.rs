//! Images of containers: references, images that are filled in later, and
//! lists of repositories.

mod reference;
mod repository;
mod template;

pub use reference::{Fault, Reference, is_tag};
pub use repository::{covers, entry_fault};
pub use template::{Image, read};
