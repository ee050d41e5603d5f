//! Asks policies, on one thread of its own: one question after the other keeps
//! what programs take of memory to one, and leaves the other cores to requests.

use std::sync::Arc;
use std::sync::mpsc;

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::sync::oneshot;

use super::looking;
use crate::cluster::effects::plan::Asked;
use crate::policy::{Others, PolicySet};

/// A Namespace, and where the answers go.
type Question = (Value, oneshot::Sender<Asked>);

/// Asks the policies in force. The thread ends with it.
pub(super) struct Asker {
    questions: mpsc::Sender<Question>,
}

impl Asker {
    pub(super) fn new(
        set: Arc<ArcSwap<PolicySet>>,
        others: Option<Arc<dyn Others>>,
    ) -> std::io::Result<Asker> {
        let (questions, asked) = mpsc::channel::<Question>();
        let answer = move || {
            for (namespace, answers) in asked {
                // Who does not wait any more needs no answer.
                if !answers.is_closed() {
                    let set = set.load_full();
                    let _ = answers.send(looking::ask(&set, &namespace, others.as_ref()));
                }
            }
        };
        let thread = std::thread::Builder::new().name("effects".to_owned());
        thread.spawn(answer)?;
        Ok(Asker { questions })
    }

    /// What policies want in this namespace; None if asking them failed
    /// altogether.
    pub(super) async fn ask(&self, namespace: Value) -> Option<Asked> {
        let (answers, answer) = oneshot::channel();
        self.questions.send((namespace, answers)).ok()?;
        answer.await.ok()
    }
}
