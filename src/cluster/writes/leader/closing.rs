//! What keeps entries from failing closed.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use serde_json::Value;

use super::{LOOK, Leader};
use crate::cluster::registrations;
use crate::cluster::safety::{self, Need};

impl Leader {
    /// What must not be judged with Fail but would be.
    pub(super) async fn judged(&mut self, asked: &[Value; 2]) -> Result<BTreeSet<Need>> {
        let all = asked.iter().flat_map(registrations::entries);
        if !all
            .into_iter()
            .any(|entry| entry["failurePolicy"] == "Fail")
        {
            return Ok(BTreeSet::new());
        }
        let is_fresh = self
            .looked
            .as_ref()
            .is_some_and(|looked| looked.0.elapsed() < LOOK);
        if !is_fresh || self.is_withheld {
            let uses_cert_manager = self.options.wish.ca_from.is_some();
            let world = safety::api::look(&self.client, &self.home, uses_cert_manager).await?;
            self.looked = Some((Instant::now(), world));
        }
        let Some((_, world)) = &self.looked else {
            return Ok(BTreeSet::new());
        };
        let needs = safety::needs(world);
        let judged = asked
            .iter()
            .map(|asked| safety::judged(asked, &needs, world));
        let judged: BTreeSet<Need> = judged.flatten().collect();
        self.is_withheld = !judged.is_empty();
        Ok(judged)
    }
}
