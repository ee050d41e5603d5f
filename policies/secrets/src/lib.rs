//! Finds secrets in texts: what is a credential, and what only looks like one.
//!
//! A [`Detector`] is built once and judges any number of texts; a search
//! compiles nothing, caches nothing and takes time linear in its input.
//! [`Found`] says what, how sure and where, never the value.
//!
//! `automaton` finds keywords; `key`, `assign`, `pair` and `list` read from a
//! name to its value, `name`, `value` and `judge` say what both are; `rules`
//! are formats of tokens, and `url`, `pem`, `header`, `command`, `base64` and
//! `blob` know the other forms. `scan` brings them together.

mod assign;
mod automaton;
mod base64;
mod blob;
mod command;
mod detector;
mod format;
mod found;
mod header;
mod hit;
mod judge;
mod key;
mod lines;
mod list;
mod moved;
mod name;
mod names;
mod nothing;
mod options;
mod own;
mod pair;
mod pem;
mod place;
mod rules;
mod scan;
mod shape;
mod url;
mod value;
mod words;

pub use detector::Detector;
pub use found::{At, Confidence, Found, Kind};
pub use options::{Fault, Options, Pattern};
