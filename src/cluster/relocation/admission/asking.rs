//! What the requesting user may do.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::Client;
use portcullis_contract::Permission;
use serde_json::json;

use crate::cluster::effects::access;
use crate::review::Request;

/// How long an answer counts: a controller that applies a folder asks once
/// (design: reliability.md, section 8).
const FRESH: Duration = Duration::from_secs(10);
/// Answers that are kept.
const KEPT: usize = 1_000;

/// Whether users may create Secrets, as the API server said lately.
pub(super) struct Rights {
    client: Client,
    known: Mutex<HashMap<String, (Instant, bool)>>,
}

impl Rights {
    pub(super) fn new(client: Client) -> Rights {
        Rights {
            client,
            known: Mutex::default(),
        }
    }

    /// Whether who sends this request may create Secrets in its namespace.
    ///
    /// # Errors
    ///
    /// Why nobody knows, one line.
    pub(super) async fn may_create_secrets(
        &self,
        request: &Request,
        until: Instant,
    ) -> Result<bool, String> {
        let namespace = request.attributes.namespace.as_deref().unwrap_or_default();
        // All that the API server's authorizers see of a user.
        let key = json!([namespace, request.admission.get("userInfo")]).to_string();
        if let Some(known) = self.known(&key) {
            return Ok(known);
        }
        let permission = Permission {
            verb: "create".to_owned(),
            api_group: String::new(),
            resource: "secrets".to_owned(),
            name: None,
        };
        let within = Some(namespace);
        let may = access::may(&self.client, request, &permission, within, until).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key, (Instant::now(), may));
        Ok(may)
    }

    fn known(&self, key: &str) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, may) = known.get(key)?;
        (asked.elapsed() < FRESH).then_some(*may)
    }
}
