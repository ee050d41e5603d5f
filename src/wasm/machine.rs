//! Machine code of components: made, checked for its origin, mapped.
//!
//! Mapping compiled code means running whatever it says, outside any sandbox.
//! So the type [`MachineCode`] can only be had from this module, and only of
//! four origins: compiled by this process, compiled by a child that runs this
//! executable, part of this executable, or authenticated with the key of this
//! installation's cache.

use std::borrow::Cow;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use wasmtime::component::Component;

use super::compiler::FromChild;

/// The length of the tag that authenticates code, in bytes: HMAC-SHA-256.
pub(super) const TAG_BYTES: usize = 32;

/// Compiled code of a known origin.
pub(super) struct MachineCode(Cow<'static, [u8]>);

impl MachineCode {
    /// Compiles a component for the target of the engine.
    ///
    /// # Errors
    ///
    /// What is no component, or more than the engine takes.
    pub(super) fn compile(engine: &wasmtime::Engine, bytes: &[u8]) -> wasmtime::Result<Self> {
        Ok(MachineCode(engine.precompile_component(bytes)?.into()))
    }

    /// Code that a child of this process compiled, see [`FromChild`].
    pub(super) fn of_child(code: FromChild) -> Self {
        MachineCode(code.into_bytes().into())
    }

    /// Code that `build.rs` made part of this executable.
    pub(super) fn of_executable(bytes: &'static [u8]) -> Self {
        MachineCode(bytes.into())
    }

    /// Code that bears the tag which `key` gives it under this name; None for
    /// any other.
    pub(super) fn authenticate(
        key: &hmac::Key,
        name: &str,
        tag: &[u8],
        bytes: Vec<u8>,
    ) -> Option<Self> {
        let own = signed(key, name, &bytes);
        verify_slices_are_equal(own.as_ref(), tag).ok()?;
        Some(MachineCode(bytes.into()))
    }

    /// The tag by which [`MachineCode::authenticate`] knows this code again.
    pub(super) fn tag(&self, key: &hmac::Key, name: &str) -> hmac::Tag {
        signed(key, name, &self.0)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Makes it runnable. The code is copied: what becomes of a file later
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// Code for another version of wasmtime, another engine configuration or
    /// a CPU with features that this one lacks.
    #[allow(
        unsafe_code,
        reason = "the one place where compiled code is taken for what it says it is"
    )]
    pub(super) fn map(&self, engine: &wasmtime::Engine) -> wasmtime::Result<Component> {
        // SAFETY: wasmtime asks for bytes that its own compiler made, and
        // that nobody changed since. The constructors above give no others;
        // wasmtime itself checks version, configuration and CPU features.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}

/// The tag of a name, its length before it, and code: megabytes, not copied.
fn signed(key: &hmac::Key, name: &str, code: &[u8]) -> hmac::Tag {
    let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
    let mut context = hmac::Context::with_key(key);
    context.update(&length.to_le_bytes());
    context.update(name.as_bytes());
    context.update(code);
    context.sign()
}
