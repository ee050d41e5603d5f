//! The moments of the protocol in which a process can be gone, named in one place
//! for who comes to them and for who tests that nothing is lost by it.

/// Which process comes to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// A replica of the webhook.
    Webhook,
    /// One that serves what was moved (`portcullis relocate`).
    Serving,
    /// A person's `portcullis secrets ...`.
    Command,
}

macro_rules! moments {
    ($($(#[$doc:meta])* $moment:ident = $name:literal, $who:ident;)*) => {
        /// A moment between two things that somebody else can see.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Moment {
            $($(#[$doc])* $moment,)*
        }

        impl Moment {
            /// All of them, in the order in which they come.
            pub const ALL: &'static [Moment] = &[$(Moment::$moment,)*];

            /// What it is called.
            pub fn name(self) -> &'static str {
                match self {
                    $(Moment::$moment => $name,)*
                }
            }

            /// Who comes to it.
            pub fn who(self) -> Who {
                match self {
                    $(Moment::$moment => Who::$who,)*
                }
            }
        }
    };
}

moments! {
    /// A ConfigMap with a secret in it, now or before, has come to be changed.
    MoveAsked = "move-asked", Webhook;
    /// Whether its user may create Secrets is about to be asked.
    MoveReviewing = "move-reviewing", Webhook;
    /// That is known.
    MoveReviewed = "move-reviewed", Webhook;
    /// The staged Secret is about to be created.
    MoveStaging = "move-staging", Webhook;
    /// It was created.
    MoveStaged = "move-staged", Webhook;
    /// What becomes of the ConfigMap is known, and nobody was told.
    MoveDecided = "move-decided", Webhook;
    /// The API server was told, a moment ago.
    MoveAnswered = "move-answered", Webhook;
    /// The final ConfigMap has come to be checked.
    CheckAsked = "check-asked", Webhook;
    /// It was checked, and nobody was told.
    CheckDecided = "check-decided", Webhook;
    /// The API server was told, a moment ago: it is about to commit.
    CheckAnswered = "check-answered", Webhook;
    /// A pod has come to be rewritten.
    PodAsked = "pod-asked", Webhook;
    /// It was rewritten, and nobody was told.
    PodDecided = "pod-decided", Webhook;
    /// The API server was told, a moment ago.
    PodAnswered = "pod-answered", Webhook;
    /// The final pod has come to be checked, and perhaps to wait.
    PodCheckAsked = "pod-check-asked", Webhook;
    /// It was checked, and nobody was told.
    PodCheckDecided = "pod-check-decided", Webhook;
    /// The API server was told, a moment ago: it is about to commit.
    PodCheckAnswered = "pod-check-answered", Webhook;
    /// The serving Secrets of a ConfigMap were read.
    PromoteServingRead = "promote-serving-read", Serving;
    /// Then the ConfigMap.
    PromoteConfigMapRead = "promote-config-map-read", Serving;
    /// Then the staged Secrets that it names.
    PromoteStagedRead = "promote-staged-read", Serving;
    /// A serving Secret is about to be written.
    PromoteWriting = "promote-writing", Serving;
    /// It was written.
    PromoteWritten = "promote-written", Serving;
    /// A Relocation is about to be created.
    TellCreating = "tell-creating", Serving;
    /// It was created.
    TellCreated = "tell-created", Serving;
    /// The status of a Relocation is about to be written.
    Telling = "telling", Serving;
    /// It was written.
    Told = "told", Serving;
    /// Staged Secrets were listed, ConfigMaps not yet.
    CollectListed = "collect-listed", Serving;
    /// One that nobody names is about to be deleted.
    CollectDeleting = "collect-deleting", Serving;
    /// It was deleted.
    CollectDeleted = "collect-deleted", Serving;
    /// The Relocation says `Prepare`; nobody has acted on it.
    PrepareTold = "prepare-told", Command;
    /// The Relocation says `Redact`; the ConfigMap holds its values.
    RedactTold = "redact-told", Command;
    /// The ConfigMap was written again, to be moved.
    RedactWritten = "redact-written", Command;
    /// The Relocation says `Audit`; the ConfigMap holds placeholders.
    RestoreTold = "restore-told", Command;
    /// The ConfigMap is about to get its values back.
    RestoreWriting = "restore-writing", Command;
    /// It has them.
    RestoreWritten = "restore-written", Command;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Moment;

    #[test]
    fn no_two_moments_have_one_name() {
        let names: BTreeSet<_> = Moment::ALL.iter().map(|moment| moment.name()).collect();
        assert_eq!(names.len(), Moment::ALL.len());
    }
}
