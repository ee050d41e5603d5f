//! The built-in pack: programs and profiles that travel with the binary.
//!
//! The library holds the types, the binary the bytes: `build.rs` embeds them.

/// What is embedded.
#[derive(Debug, Clone, Copy)]
pub struct Pack {
    /// Programs: name and component.
    pub programs: &'static [(&'static str, &'static [u8])],
    /// Code of the programs with the settings of the profiles, compiled for
    /// any CPU.
    pub compiled: &'static [&'static [u8]],
    /// Profiles: name, and the `WasmPolicy` documents of each by name.
    pub profiles: &'static [Documents],
    /// The documents of each profile that have objects created, for which an
    /// installation needs rights that it does not have by itself.
    pub effects: &'static [Documents],
    /// Whether those are a part of their profiles.
    pub with_effects: bool,
}

/// A profile, and documents of it: name and text.
pub type Documents = (&'static str, &'static [(&'static str, &'static str)]);

/// Which part of the pack is in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Nothing is refused or changed; every finding is an audit line.
    Observe,
    /// Images without a version and `cluster-admin` for everybody are refused,
    /// the rest is warned of.
    #[default]
    Starter,
    /// Every finding is refused, but those that say what cannot be known.
    Strict,
    /// No policy of the pack: only those of `--policies`.
    None,
}

impl Profile {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Observe => "observe",
            Profile::Starter => "starter",
            Profile::Strict => "strict",
            Profile::None => "none",
        }
    }
}

impl Pack {
    /// A pack that holds nothing: for tools that look at documents only.
    pub const EMPTY: Pack = Pack {
        programs: &[],
        compiled: &[],
        profiles: &[],
        effects: &[],
        with_effects: false,
    };

    /// The same, where policies that have objects created are a part of their
    /// profiles: files and audits act on nothing.
    #[must_use]
    pub fn having_effects(self) -> Pack {
        Pack {
            with_effects: true,
            ..self
        }
    }

    /// The program of this name.
    pub fn program(&self, name: &str) -> Option<&'static [u8]> {
        self.programs
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, bytes)| *bytes)
    }

    /// The documents of a profile: name and text.
    pub fn profile(
        &self,
        profile: Profile,
    ) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let effects = if self.with_effects { self.effects } else { &[] };
        let all = self.profiles.iter().chain(effects);
        all.filter(move |(known, _)| *known == profile.name())
            .flat_map(|(_, documents)| *documents)
    }
}
