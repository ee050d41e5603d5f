//! `#[derive(Page)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error};

use crate::docs;

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream, Error> {
    let ident = &input.ident;
    let documentation = docs::text(&input.attrs);
    if documentation.is_empty() {
        let problem = "a policy needs a doc comment: it is its documentation";
        return Err(Error::new_spanned(ident, problem));
    }
    Ok(quote! {
        impl ::portcullis_sdk::Page for #ident {
            const NAME: &'static str = ::std::env!("CARGO_PKG_NAME");
            const VERSION: &'static str = ::std::env!("CARGO_PKG_VERSION");
            const SUMMARY: &'static str = ::std::env!("CARGO_PKG_DESCRIPTION");
            const DOCUMENTATION: &'static str = #documentation;
        }
    })
}
