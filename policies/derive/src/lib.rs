//! Derive macros of the policy SDK: see `portcullis_sdk`, which re-exports
//! them and says what they are for.

mod case;
mod codes;
mod docs;
mod page;
mod reads;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// The reads of a type, from its fields and their serde attributes.
///
/// Understands `rename`, `rename_all` (also with `deserialize = ...`),
/// `alias`, `flatten`, `skip`, `skip_deserializing`, `transparent`, newtypes
/// and generics. A field with `with` or `deserialize_with` is read whole, as
/// is an enum.
#[proc_macro_derive(Reads, attributes(serde))]
pub fn reads(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), reads::derive)
}

/// The codes of a policy: one a unit variant, named in kebab-case, with
/// `#[code(error)]`, `#[code(warning)]` or `#[code(info)]`, and its doc
/// comment as meaning. `#[code(error, secret)]` says that what stands at the
/// path of such a finding is a secret, which the host then shows nowhere.
#[proc_macro_derive(Codes, attributes(code))]
pub fn codes(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), codes::derive)
}

/// The page of a policy: the type's doc comment, and the name, version and
/// description of the crate it stands in.
#[proc_macro_derive(Page)]
pub fn page(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), page::derive)
}

fn expand(
    input: DeriveInput,
    derive: fn(&DeriveInput) -> Result<proc_macro2::TokenStream, Error>,
) -> TokenStream {
    derive(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}
