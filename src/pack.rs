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
    pub profiles: &'static [(&'static str, &'static [(&'static str, &'static str)])],
}

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
    };

    /// The program of this name.
    pub fn program(&self, name: &str) -> Option<&'static [u8]> {
        self.programs
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, bytes)| *bytes)
    }

    /// The documents of a profile: name and text.
    pub fn profile(&self, profile: Profile) -> &'static [(&'static str, &'static str)] {
        self.profiles
            .iter()
            .find(|(known, _)| *known == profile.name())
            .map_or(&[], |(_, documents)| documents)
    }
}
