//! `spec.limits`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Error;

/// Limits of one evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// How long one evaluation may take, in milliseconds (1 to 10,000). The
    /// request's own timeout always holds besides.
    pub deadline_milliseconds: u32,
    /// Linear memory of one instance, in MiB (1 to 64).
    pub memory_mebibytes: u32,
}

impl Default for Limits {
    /// 100 ms and 64 MiB, the figures of the issue "First verdict".
    fn default() -> Self {
        Limits {
            deadline_milliseconds: 100,
            memory_mebibytes: Limits::MEMORY_MEBIBYTES,
        }
    }
}

impl Limits {
    /// What the pooling allocator reserves for one instance.
    pub const MEMORY_MEBIBYTES: u32 = 64;

    /// [`Limits::deadline_milliseconds`].
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_milliseconds.into())
    }

    /// [`Limits::memory_mebibytes`] in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.memory_mebibytes as usize * 1024 * 1024
    }
}

impl Limits {
    pub(super) fn validate(self) -> Result<(), Error> {
        let members = [
            ("deadlineMilliseconds", self.deadline_milliseconds, 10_000),
            (
                "memoryMebibytes",
                self.memory_mebibytes,
                Limits::MEMORY_MEBIBYTES,
            ),
        ];
        for (member, value, most) in members {
            if !(1..=most).contains(&value) {
                return Err(Error {
                    pointer: format!("/spec/limits/{member}"),
                    problem: format!("{value} is out of range: write 1 to {most}"),
                });
            }
        }
        Ok(())
    }
}
