//! `#[derive(Reads)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Field, Fields, GenericParam, LitStr,
    meta::ParseNestedMeta, parse_quote,
};

use crate::case;

/// What the serde attributes of a field say about its place.
#[derive(Default)]
struct Place {
    rename: Option<String>,
    aliases: Vec<String>,
    flatten: bool,
    skip: bool,
    whole: bool,
}

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream, Error> {
    let body = match &input.data {
        Data::Struct(data) => structure(&data.fields, &rename_all(&input.attrs)?)?,
        // Which variant will be there is not known: the place is read whole.
        Data::Enum(_) => quote!(::portcullis_sdk::reads::whole(prefix, out);),
        Data::Union(_) => return Err(Error::new_spanned(input, "unions have no reads")),
    };
    let ident = &input.ident;
    let mut generics = input.generics.clone();
    for parameter in &mut generics.params {
        if let GenericParam::Type(parameter) = parameter {
            parameter.bounds.push(parse_quote!(::portcullis_sdk::Reads));
        }
    }
    let (implemented, types, clause) = generics.split_for_impl();
    Ok(quote! {
        impl #implemented ::portcullis_sdk::Reads for #ident #types #clause {
            fn reads(prefix: &str, out: &mut ::std::collections::BTreeSet<::std::string::String>) {
                #body
            }
        }
    })
}

fn structure(fields: &Fields, rule: &Option<String>) -> Result<TokenStream, Error> {
    match fields {
        Fields::Named(fields) => {
            let fields = fields.named.iter().map(|field| named(field, rule));
            let reads = fields.collect::<Result<TokenStream, Error>>()?;
            // Of a struct without fields nothing is read.
            Ok(match reads.is_empty() {
                true => quote!(let _ = (prefix, out);),
                false => reads,
            })
        }
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            let inner = &fields.unnamed[0].ty;
            Ok(quote!(<#inner as ::portcullis_sdk::Reads>::reads(prefix, out);))
        }
        Fields::Unnamed(_) | Fields::Unit => {
            Ok(quote!(::portcullis_sdk::reads::whole(prefix, out);))
        }
    }
}

fn named(field: &Field, rule: &Option<String>) -> Result<TokenStream, Error> {
    let place = place(&field.attrs)?;
    let kind = &field.ty;
    if place.skip {
        return Ok(TokenStream::new());
    }
    if place.flatten {
        return Ok(quote!(<#kind as ::portcullis_sdk::Reads>::reads(prefix, out);));
    }
    let written = field
        .ident
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let written = written.trim_start_matches("r#");
    let name = match (&place.rename, rule) {
        (Some(name), _) => name.clone(),
        (None, None) => written.to_owned(),
        (None, Some(rule)) => case::field(rule, written).ok_or_else(|| {
            Error::new_spanned(field, format!("`rename_all` has no rule `{rule}`"))
        })?,
    };
    let names = std::iter::once(name).chain(place.aliases);
    Ok(names
        .map(|name| {
            let at = quote!(&::portcullis_sdk::reads::member(prefix, #name));
            if place.whole {
                quote!(::portcullis_sdk::reads::whole(#at, out);)
            } else {
                quote!(<#kind as ::portcullis_sdk::Reads>::reads(#at, out);)
            }
        })
        .collect())
}

fn place(attributes: &[Attribute]) -> Result<Place, Error> {
    let mut place = Place::default();
    serde(attributes, |meta| {
        if meta.path.is_ident("rename") {
            place.rename = deserialized_name(&meta)?.or(place.rename.take());
        } else if meta.path.is_ident("alias") {
            place.aliases.push(meta.value()?.parse::<LitStr>()?.value());
        } else if meta.path.is_ident("flatten") {
            place.flatten = true;
        } else if meta.path.is_ident("skip") || meta.path.is_ident("skip_deserializing") {
            place.skip = true;
        } else if meta.path.is_ident("with") || meta.path.is_ident("deserialize_with") {
            place.whole = true;
            pass_over(&meta)?;
        } else {
            pass_over(&meta)?;
        }
        Ok(())
    })?;
    Ok(place)
}

fn rename_all(attributes: &[Attribute]) -> Result<Option<String>, Error> {
    let mut rule = None;
    serde(attributes, |meta| {
        if meta.path.is_ident("rename_all") {
            rule = deserialized_name(&meta)?.or(rule.take());
            Ok(())
        } else {
            pass_over(&meta)
        }
    })?;
    Ok(rule)
}

fn serde(
    attributes: &[Attribute],
    mut each: impl FnMut(ParseNestedMeta<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
    {
        attribute.parse_nested_meta(&mut each)?;
    }
    Ok(())
}

/// `rename = "x"` or `rename(deserialize = "x")`.
fn deserialized_name(meta: &ParseNestedMeta<'_>) -> Result<Option<String>, Error> {
    if meta.input.peek(syn::Token![=]) {
        return Ok(Some(meta.value()?.parse::<LitStr>()?.value()));
    }
    let mut name = None;
    meta.parse_nested_meta(|inner| {
        let value = inner.value()?.parse::<LitStr>()?.value();
        if inner.path.is_ident("deserialize") {
            name = Some(value);
        }
        Ok(())
    })?;
    Ok(name)
}

/// Reads an attribute that does not bear on the place.
fn pass_over(meta: &ParseNestedMeta<'_>) -> Result<(), Error> {
    if meta.input.peek(syn::Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        meta.parse_nested_meta(|inner| pass_over(&inner))?;
    }
    Ok(())
}
