//! `#[derive(Codes)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Variant};

use crate::{case, docs};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream, Error> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "codes are the unit variants of an enum",
        ));
    };
    let mut names = Vec::new();
    let mut declarations = Vec::new();
    for variant in &data.variants {
        let (ident, name) = (&variant.ident, case::kebab(&variant.ident.to_string()));
        let (Said { level, secret }, meaning) = (said(variant)?, meaning(variant)?);
        names.push(quote!(Self::#ident => #name));
        declarations.push(quote!(::portcullis_sdk::contract::Code {
            code: #name.into(),
            level: ::portcullis_sdk::contract::Level::#level,
            meaning: #meaning.into(),
            secret: #secret,
        }));
    }
    let ident = &input.ident;
    Ok(quote! {
        impl ::portcullis_sdk::Codes for #ident {
            fn name(&self) -> &'static str {
                match self { #(#names),* }
            }

            fn declarations() -> ::std::vec::Vec<::portcullis_sdk::contract::Code> {
                ::std::vec![#(#declarations),*]
            }
        }
    })
}

/// What the attribute of a code says.
struct Said {
    level: TokenStream,
    secret: bool,
}

fn said(variant: &Variant) -> Result<Said, Error> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new_spanned(variant, "a code holds no fields"));
    }
    let wanted = "say how bad it is: `#[code(error)]`, `#[code(warning)]` or `#[code(info)]`";
    let (mut level, mut secret) = (None, false);
    for attribute in variant
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("code"))
    {
        attribute.parse_nested_meta(|meta| {
            match meta.path.get_ident().map(ToString::to_string).as_deref() {
                Some("error") => level = Some(quote!(Error)),
                Some("warning") => level = Some(quote!(Warning)),
                Some("info") => level = Some(quote!(Info)),
                Some("secret") => secret = true,
                _ => return Err(meta.error(wanted)),
            }
            Ok(())
        })?;
    }
    let level = level.ok_or_else(|| Error::new_spanned(variant, wanted))?;
    Ok(Said { level, secret })
}

fn meaning(variant: &Variant) -> Result<String, Error> {
    match docs::text(&variant.attrs) {
        text if text.is_empty() => Err(Error::new_spanned(
            variant,
            "a code needs a doc comment: it is its meaning",
        )),
        text => Ok(text),
    }
}
