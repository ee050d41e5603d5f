//! The story of the README with a real kubectl: refused, mended, running.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::kubectl::{Answer, User};
use crate::namespace::Namespace;

/// How long a rollout may take on a busy machine.
const ROLLOUT: Duration = Duration::from_secs(60);

/// The exit codes of the steps: only the first is refused.
pub const CODES: [i32; 6] = [1, 0, 0, 0, 0, 0];

/// One command of the story, and what it did.
pub struct Step {
    /// As one types it.
    pub command: String,
    /// What came of it.
    pub answer: Answer,
}

/// The folder of the manifests, in which the commands run.
pub fn folder() -> PathBuf {
    crate::root().join("tests/cluster/story")
}

/// Runs the story as `dev` in a namespace where Portcullis is registered, and
/// shows each step as it is done.
///
/// # Errors
///
/// kubectl cannot be started. That a command fails is part of the story.
pub fn tell(namespace: &Namespace<'_>, mut show: impl FnMut(&Step)) -> Result<Vec<Step>> {
    let timeout = format!("--timeout={}s", ROLLOUT.as_secs());
    let commands: [&[&str]; 6] = [
        &["apply", "-f", "web-latest.yaml"],
        &["get", "deployments"],
        &["apply", "-f", "web.yaml"],
        &["rollout", "status", "deployment/web", &timeout],
        &[
            "get",
            "pods",
            "-o",
            "custom-columns=IMAGE:.spec.containers[*].image,STATUS:.status.phase",
        ],
        &["diff", "-f", "web.yaml"],
    ];
    let mut steps = Vec::new();
    for arguments in commands {
        let answer = namespace.kubectl_in(&folder(), User::Dev, arguments, "")?;
        let command = format!("kubectl {}", arguments.join(" "));
        let step = Step { command, answer };
        show(&step);
        steps.push(step);
    }
    Ok(steps)
}
