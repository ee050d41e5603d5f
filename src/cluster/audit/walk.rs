//! All pages of a list.

use std::sync::Arc;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::core::PartialObjectMeta;
use serde_json::Value;

use super::Wish;
use super::judging::{Judging, Part};
use super::kinds::Kind;
use super::lists::{Lists, Problem, escaped};
use super::owners::Owner;
use super::page;
use super::world::World;
use crate::cluster::namespaces::Metadata;
use crate::policy::PolicySet;
use crate::policy::lookup::{Inventory, Others};
use crate::progress::Progress;

/// How often a list is begun anew, or goes on with what has changed, before
/// it is given up.
const EXPIRIES: usize = 5;

/// What is needed to list and judge.
pub(super) struct Walk {
    pub(super) lists: Lists,
    pub(super) set: Arc<PolicySet>,
    pub(super) world: Arc<World>,
    pub(super) others: Arc<dyn Others>,
    wish: Arc<Wish>,
    progress: Option<Arc<Progress>>,
}

/// Where a list stands.
#[derive(Default)]
struct Place {
    from: Option<String>,
    /// Objects and bytes of the last page.
    last: Option<(usize, usize)>,
    expired: usize,
}

/// What to do after a page could not be had.
enum Then {
    GoOn,
    BeginAnew,
}

impl Place {
    /// A list that is older than what the API server remembers goes on with
    /// what there is now, or begins anew.
    fn after(&mut self, problem: Problem) -> Result<Then, Problem> {
        let Problem::Expired(next) = problem else {
            return Err(problem);
        };
        self.expired += 1;
        if self.expired > EXPIRIES {
            return Err(Problem::Expired(next));
        }
        let then = match next {
            Some(_) => Then::GoOn,
            None => Then::BeginAnew,
        };
        self.from = next;
        Ok(then)
    }
}

impl Walk {
    pub(super) fn new(
        lists: Lists,
        set: Arc<PolicySet>,
        wish: Arc<Wish>,
        progress: Option<Arc<Progress>>,
    ) -> Walk {
        Walk {
            lists,
            set,
            world: Arc::default(),
            others: Arc::new(Inventory::default()),
            wish,
            progress,
        }
    }

    /// Judges all objects of a kind; whether they were all.
    ///
    /// # Errors
    ///
    /// Judging failed inside Portcullis.
    pub(super) async fn all(
        &mut self,
        kind: &Arc<Kind>,
        namespace: Option<&str>,
    ) -> Result<(Part, Result<(), Problem>)> {
        if let Some(progress) = &self.progress {
            progress.say(&kind.resource());
        }
        let path = kind.path(namespace);
        let (mut place, mut part) = (Place::default(), Part::default());
        loop {
            let limit = self.lists.size(place.last);
            match self.lists.page(&path, limit, place.from.as_deref()).await {
                Ok(text) => {
                    let bytes = text.len();
                    let (judged, read) = self.judge(kind, part, text).await?;
                    part = judged;
                    let Ok((head, count)) = read else {
                        return Ok((part, Err(unreadable())));
                    };
                    place.last = Some((count, bytes));
                    place.from = head.next.filter(|next| !next.is_empty());
                    if place.from.is_none() {
                        return Ok((part, Ok(())));
                    }
                }
                Err(problem) => match place.after(problem) {
                    Ok(Then::GoOn) => {}
                    Ok(Then::BeginAnew) => part = Part::default(),
                    Err(problem) => return Ok((part, Err(problem))),
                },
            }
        }
    }

    /// Judges a page apart from the threads that serve.
    async fn judge(
        &self,
        kind: &Arc<Kind>,
        part: Part,
        text: String,
    ) -> Result<(Part, serde_json::Result<(page::Head, usize)>)> {
        let mut judging = Judging {
            set: Arc::clone(&self.set),
            world: Arc::clone(&self.world),
            others: Arc::clone(&self.others),
            kind: Arc::clone(kind),
            wish: Arc::clone(&self.wish),
            progress: self.progress.clone(),
            part,
        };
        let judged = tokio::task::spawn_blocking(move || {
            let read = judging.page(&text);
            (judging.part, read)
        });
        judged
            .await
            .context("judging failed inside Portcullis: report this")
    }

    /// The owner of an owner, if it has one and it may be read.
    pub(super) async fn owner_of(
        &mut self,
        owner: &Owner,
        namespace: Option<&str>,
    ) -> Option<Owner> {
        // A table, since anybody can write an owner.
        let plural = match (owner.api_version.as_str(), owner.kind.as_str()) {
            ("apps/v1", "ReplicaSet") => "/apis/apps/v1/namespaces/NAMESPACE/replicasets",
            ("batch/v1", "Job") => "/apis/batch/v1/namespaces/NAMESPACE/jobs",
            ("v1", "ReplicationController") => {
                "/api/v1/namespaces/NAMESPACE/replicationcontrollers"
            }
            _ => return None,
        };
        let path = plural.replace("NAMESPACE", &escaped(namespace?));
        let path = format!("{path}/{}", escaped(&owner.name));
        let object: PartialObjectMeta<Pod> = self.lists.get(&path).await.ok()?;
        if object.metadata.uid.as_deref() != Some(&owner.uid) {
            return None;
        }
        let owners = object.metadata.owner_references.unwrap_or_default();
        let above = owners
            .into_iter()
            .find(|one| one.controller == Some(true))?;
        Some(Owner {
            api_version: above.api_version,
            kind: above.kind,
            name: above.name,
            uid: above.uid,
        })
    }
}

fn unreadable() -> Problem {
    Problem::Other("the API server's answer is no list that can be read".to_owned())
}

/// Gives all namespaces to `learn`.
pub(super) async fn namespaces(
    lists: &mut Lists,
    learn: &mut (dyn FnMut(Metadata) + Send),
) -> Result<(), Problem> {
    let mut take = |object| {
        if let Ok(namespace) = serde_json::from_value(object) {
            learn(namespace);
        }
    };
    each(lists, "/api/v1/namespaces", &mut take).await
}

/// Gives all objects of a list to `take`, some of them twice.
pub(in crate::cluster) async fn each(
    lists: &mut Lists,
    path: &str,
    take: &mut (dyn FnMut(Value) + Send),
) -> Result<(), Problem> {
    let mut place = Place::default();
    loop {
        let limit = lists.size(place.last);
        match lists.page(path, limit, place.from.as_deref()).await {
            Ok(text) => {
                let (head, count) = page::read(&text, &mut *take).map_err(|_| unreadable())?;
                place.last = Some((count, text.len()));
                place.from = head.next.filter(|next| !next.is_empty());
                if place.from.is_none() {
                    return Ok(());
                }
            }
            // What is learnt twice is the same.
            Err(problem) => {
                place.after(problem)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_list_goes_on_or_begins_anew_but_not_for_ever() {
        let mut place = Place {
            from: Some("old".into()),
            ..Place::default()
        };
        let there = Problem::Expired(Some("new".into()));
        assert!(matches!(place.after(there.clone()), Ok(Then::GoOn)));
        assert_eq!(place.from.as_deref(), Some("new"));
        let nowhere = Problem::Expired(None);
        assert!(matches!(place.after(nowhere), Ok(Then::BeginAnew)));
        assert_eq!(place.from, None);
        while place.expired < EXPIRIES {
            assert!(place.after(there.clone()).is_ok());
        }
        assert!(matches!(place.after(there.clone()), Err(given) if given == there));
        assert!(matches!(
            place.after(Problem::NotFound),
            Err(Problem::NotFound)
        ));
    }
}
