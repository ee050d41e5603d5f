//! What kind of object a request is about.

use serde::Deserialize;

use crate::{Reads, Text};

/// `kind` of a request. Take it as `kind: Kind<'a>`; a policy that needs the
/// group or the version names a struct of its own.
#[derive(Debug, Clone, Default, Reads, Deserialize)]
#[serde(default)]
pub struct Kind<'a> {
    /// `Pod`, `Ingress`: the word that manifests use.
    #[serde(borrow)]
    pub kind: Text<'a>,
}
