//! Image references, by the grammar of the distribution project.
//!
//! Guarantee: takes exactly what a node takes
//! (`ParseNormalizedNamed` of <https://github.com/distribution/reference>).

/// The registry of a name that has none.
const DEFAULT_DOMAIN: &str = "docker.io";
/// What Docker Hub was called; still the same registry.
const LEGACY_DOMAIN: &str = "index.docker.io";
/// Where Docker Hub keeps a name of one component.
const OFFICIAL: &str = "library";
/// The longest path of a repository.
const MAX_PATH: usize = 255;
/// The longest tag.
const MAX_TAG: usize = 128;

/// An image reference in its parts, spelt as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'a> {
    /// The repository, with its registry if there is one.
    pub name: &'a str,
    /// What follows the last `:`, unless a `/` follows.
    pub tag: Option<&'a str>,
    /// What follows the first `@`.
    pub digest: Option<&'a str>,
}

/// Why a node would refuse a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is a URL.
    Scheme,
    /// The repository is no name.
    Name,
    /// The repository would be a name in lower case.
    UpperCase,
    /// The tag is none.
    Tag,
    /// The digest is none.
    Digest,
}

impl<'a> Reference<'a> {
    /// Splits a reference, whatever its parts hold.
    pub fn split(text: &'a str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => Reference {
                name,
                tag: Some(tag),
                digest,
            },
            _ => Reference {
                name: rest,
                tag: None,
                digest,
            },
        }
    }

    /// Parses a reference.
    ///
    /// # Errors
    ///
    /// The first of its parts that is not valid.
    pub fn parse(text: &'a str) -> Result<Self, Fault> {
        let reference = Reference::split(text);
        if text.contains("://") {
            return Err(Fault::Scheme);
        }
        if is_identifier(text) {
            return Err(Fault::Name);
        }
        if !is_name(reference.name) {
            let is_capital = is_name(&reference.name.to_ascii_lowercase());
            return Err(if is_capital {
                Fault::UpperCase
            } else {
                Fault::Name
            });
        }
        reference.check_version()?;
        Ok(reference)
    }

    /// Checks the tag and the digest.
    ///
    /// # Errors
    ///
    /// The first that is not valid.
    pub fn check_version(&self) -> Result<(), Fault> {
        if !self.tag.is_none_or(is_tag) {
            return Err(Fault::Tag);
        }
        if !self.digest.is_none_or(is_digest) {
            return Err(Fault::Digest);
        }
        Ok(())
    }

    /// The components of the whole name: `docker.io`, `library`, `nginx` for
    /// `nginx`.
    pub fn components(&self) -> impl Iterator<Item = &'a str> {
        let (domain, path) = split_domain(self.name);
        let is_official = domain == DEFAULT_DOMAIN && !path.contains('/');
        let official = is_official.then_some(OFFICIAL);
        std::iter::once(domain)
            .chain(official)
            .chain(path.split('/'))
    }
}

/// The registry, and the path in it.
fn split_domain(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((LEGACY_DOMAIN, path)) => (DEFAULT_DOMAIN, path),
        Some((first, path)) if is_registry(first) => (first, path),
        _ => (DEFAULT_DOMAIN, name),
    }
}

/// Whether the first of several components is a registry.
pub(crate) fn is_registry(first: &str) -> bool {
    let has_capital = first.bytes().any(|byte| byte.is_ascii_uppercase());
    first == "localhost" || first.contains(['.', ':']) || has_capital
}

/// Whether this can be the name of a repository.
pub(crate) fn is_name(name: &str) -> bool {
    let (domain, path) = split_domain(name);
    let is_official = domain == DEFAULT_DOMAIN && !path.contains('/');
    let length = path.len() + if is_official { OFFICIAL.len() + 1 } else { 0 };
    is_domain(domain) && length <= MAX_PATH && path.split('/').all(is_component)
}

/// Whether this can be a registry: a host, and perhaps a port.
pub(crate) fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        // The colons of an IPv6 address are its own.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (domain, "0"),
    };
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    is_port && address.map_or_else(|| host.split('.').all(is_label), is_address)
}

fn is_address(address: &str) -> bool {
    !address.is_empty()
        && address
            .bytes()
            .all(|byte| byte == b':' || byte.is_ascii_hexdigit())
}

fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte == b'-' || byte.is_ascii_alphanumeric();
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(is_inner)
}

/// Letters and digits, held together by `.`, `_`, `__` or any number of `-`.
fn is_component(component: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator =
        |run: &str| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-');
    component.starts_with(is_plain)
        && component.ends_with(is_plain)
        && component.split(is_plain).all(is_separator)
}

/// Whether this can be a tag.
pub fn is_tag(tag: &str) -> bool {
    let is_inner = |byte: u8| matches!(byte, b'.' | b'-' | b'_') || byte.is_ascii_alphanumeric();
    !tag.is_empty()
        && tag.len() <= MAX_TAG
        && !tag.starts_with(['.', '-'])
        && tag.bytes().all(is_inner)
}

fn is_digest(digest: &str) -> bool {
    let (algorithm, hash) = digest.split_once(':').unwrap_or_default();
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hash.len() == length && is_hash(hash)
}

fn is_hash(hash: &str) -> bool {
    hash.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A bare hash means an image by its identifier, which a node refuses.
fn is_identifier(text: &str) -> bool {
    text.len() == 64 && is_hash(text)
}
