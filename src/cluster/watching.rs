//! All objects of one kind, as the API server has them.
//!
//! Guarantees: what is known is always a list that was once complete, with
//! the changes since. A watch that ends, an expired version (410) or an outage
//! neither adds nor removes anything.

mod many;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::link::Link;
use super::told::one_line;

/// Between tries: an outage is over within seconds of its end (design:
/// reliability.md, section 10: 10 s).
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(4);

/// After so long without an error, the next one is the first. A list between
/// two watches that fail is no recovery.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// The pauses of a watch after errors. What kube has by default doubles up to
/// 30 s, and the end of an outage would be seen late.
#[derive(Debug)]
pub struct Pauses {
    next: Duration,
    last: Option<Instant>,
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses {
            next: SHORTEST,
            last: None,
        }
    }
}

impl Pauses {
    /// How long to pause after an error that is met `now`.
    fn at(&mut self, now: Instant) -> Duration {
        let is_forgotten = |last| now.saturating_duration_since(last) > FORGOTTEN;
        if self.last.is_some_and(is_forgotten) {
            self.next = SHORTEST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        self.last = Some(now);
        pause
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.at(Instant::now()))
    }
}

impl Backoff for Pauses {
    /// Time tells, and not one good answer.
    fn reset(&mut self) {}
}

/// Objects by name, those of a namespace by `NAMESPACE/NAME`.
pub type Objects<K> = BTreeMap<String, K>;

/// What is known of all objects of a kind.
#[derive(Debug)]
pub struct Known<K> {
    objects: Option<Objects<K>>,
    /// A list that is not complete yet.
    incoming: Objects<K>,
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Known {
            objects: None,
            incoming: Objects::new(),
        }
    }
}

impl<K: ResourceExt> Known<K> {
    /// All objects; None before the first list is complete.
    pub fn objects(&self) -> Option<&Objects<K>> {
        self.objects.as_ref()
    }

    /// Takes an event; whether what is known may have changed by it.
    pub fn take(&mut self, event: Event<K>) -> bool {
        match event {
            Event::Init => self.incoming.clear(),
            Event::InitApply(object) => {
                self.incoming.insert(key(&object), object);
            }
            Event::InitDone => {
                self.objects = Some(std::mem::take(&mut self.incoming));
                return true;
            }
            Event::Apply(object) => {
                let objects = self.objects.as_mut().unwrap_or(&mut self.incoming);
                objects.insert(key(&object), object);
                return true;
            }
            Event::Delete(object) => {
                let removed = self.objects.as_mut().map(|o| o.remove(&key(&object)));
                return removed.flatten().is_some();
            }
        }
        false
    }
}

fn key(object: &impl ResourceExt) -> String {
    match object.namespace() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}

type Events<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// The events of a kind. After an error it starts anew with a list, so that
/// the end of an outage is seen, too.
pub struct Watching<K> {
    anew: Box<dyn Fn() -> Events<K> + Send>,
    stream: Option<Events<K>>,
    pauses: Pauses,
    resume: Option<Instant>,
}

/// Watches, for as long as the process runs: tells of all that is known
/// whenever it may have changed, of errors, and `link` of both.
pub async fn keep<K>(
    api: Api<K>,
    link: &Link,
    mut learn: impl FnMut(&Objects<K>),
    mut failed: impl FnMut(&watcher::Error),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let (mut watching, mut known) = (Watching::new(api), Known::default());
    loop {
        match watching.next().await {
            Ok(event) => {
                if known.take(event) {
                    known.objects().into_iter().for_each(&mut learn);
                    link.up();
                }
            }
            Err(error) => {
                failed(&error);
                link.down(one_line(&error));
            }
        }
    }
}

impl<K: Resource + Clone + DeserializeOwned + Debug + Send + 'static> Watching<K> {
    /// Of all objects that `api` reaches.
    pub fn new(api: Api<K>) -> Self {
        Watching::of(move || {
            let config = watcher::Config::default();
            kube::runtime::watcher(api.clone(), config).boxed()
        })
    }

    fn of(anew: impl Fn() -> Events<K> + Send + 'static) -> Self {
        Watching {
            anew: Box::new(anew),
            stream: None,
            pauses: Pauses::default(),
            resume: None,
        }
    }

    /// The next event. Nothing is lost if this is dropped before it is done.
    ///
    /// # Errors
    ///
    /// What the API server or the way to it said; the next call tries again
    /// after a pause.
    pub async fn next(&mut self) -> watcher::Result<Event<K>> {
        if let Some(resume) = self.resume {
            tokio::time::sleep_until(resume).await;
            self.resume = None;
        }
        let stream = self.stream.get_or_insert_with(&self.anew);
        let event = match stream.next().await {
            Some(event) => event,
            None => Err(watcher::Error::NoResourceVersion),
        };
        if event.is_err() {
            self.stream = None;
            let now = Instant::now();
            self.resume = Some(now + self.pauses.at(now));
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn object(name: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object
    }

    fn names(known: &Known<ConfigMap>) -> Vec<&str> {
        let objects = known.objects().expect("a complete list");
        objects.keys().map(String::as_str).collect()
    }

    #[test]
    fn nothing_is_known_before_the_first_list_is_complete() {
        let mut known = Known::default();
        assert!(!known.take(Event::Init));
        assert!(!known.take(Event::InitApply(object("a"))));
        assert!(known.objects().is_none());
        assert!(known.take(Event::InitDone));
        assert_eq!(names(&known), ["a"]);
    }

    #[test]
    fn a_new_list_replaces_the_old_one_only_when_it_is_complete() {
        let mut known = Known::default();
        for event in [
            Event::Init,
            Event::InitApply(object("a")),
            Event::InitApply(object("b")),
            Event::InitDone,
            // An outage; the list after it is cut off once.
            Event::Init,
            Event::InitApply(object("c")),
            Event::Init,
        ] {
            known.take(event);
        }
        assert_eq!(names(&known), ["a", "b"]);
        known.take(Event::InitApply(object("b")));
        known.take(Event::InitDone);
        assert_eq!(names(&known), ["b"], "`a` went away during the outage");
    }

    #[test]
    fn objects_of_one_name_in_two_namespaces_are_two() {
        let mut known = Known::default();
        known.take(Event::InitDone);
        for namespace in ["a", "b"] {
            let mut object = object("x");
            object.metadata.namespace = Some(namespace.to_owned());
            known.take(Event::Apply(object));
        }
        assert_eq!(names(&known), ["a/x", "b/x"]);
    }

    #[test]
    fn pauses_grow_to_seconds_and_are_short_again_after_a_good_while() {
        let (mut pauses, mut now) = (Pauses::default(), Instant::now());
        let milliseconds = [250, 500, 1_000, 2_000, 4_000, 4_000, 4_000];
        for expected in milliseconds.map(Duration::from_millis) {
            let pause = pauses.at(now);
            assert_eq!(pause, expected);
            now += pause;
            // One good answer is no recovery.
            pauses.reset();
        }
        assert_eq!(pauses.at(now + FORGOTTEN), SHORTEST);
    }

    #[test]
    fn changes_are_taken_one_by_one() {
        let mut known = Known::default();
        known.take(Event::InitDone);
        assert!(known.take(Event::Apply(object("a"))));
        assert!(!known.take(Event::Delete(object("b"))));
        assert_eq!(names(&known), ["a"]);
        assert!(known.take(Event::Delete(object("a"))));
        assert!(names(&known).is_empty());
    }
}
