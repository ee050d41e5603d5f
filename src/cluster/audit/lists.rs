//! Lists of the API server, page by page and at a pace.

use std::fmt::Write;
use std::time::Duration;

use kube::Client;
use kube::core::discovery::v2::{APIGroupDiscovery, APIGroupDiscoveryList};
use serde::de::DeserializeOwned;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::cluster::told::one_line;

/// How long the API server may take over one page.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a page is asked for in all, where something went wrong on the
/// way. Where the API server says "later", kube asks again by itself, for as
/// long as [`PATIENCE`] lasts.
const TRIES: u32 = 5;
/// Between tries, at first; twice as long each time.
const PAUSE: Duration = Duration::from_millis(250);
/// The first page of a kind; how large its objects are is not known yet.
const FIRST: usize = 50;
/// As large as a page may become, in objects. Larger ones save little.
const MOST: usize = 500;
/// As large as a page should become, in bytes.
const PAGE_BYTES: usize = 2 << 20;

/// Asks the API server, not more often than agreed.
pub struct Lists {
    client: Client,
    every: Duration,
    next: Instant,
    /// The size of pages, if it is not ours to choose.
    page: Option<usize>,
}

/// Why a page cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// 403, with what the API server said.
    Forbidden(String),
    /// 404.
    NotFound,
    /// 410: the list has changed too much since its first page. It goes on at
    /// the same place, as it is now, if the API server told where.
    Expired(Option<String>),
    /// Anything else.
    Other(String),
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Problem::Forbidden(said) | Problem::Other(said) => said,
            Problem::NotFound => "it is not there (404)",
            Problem::Expired(_) => "it changed faster than it could be listed (410)",
        })
    }
}

impl Lists {
    /// At most so many requests a second, at least one. `page` fixes how many
    /// objects a page has.
    pub fn new(client: Client, requests_per_second: u32, page: Option<usize>) -> Lists {
        Lists {
            client,
            every: Duration::from_secs(1) / requests_per_second.max(1),
            next: Instant::now(),
            page,
        }
    }

    /// One page of the list at `path`, as text.
    ///
    /// # Errors
    ///
    /// What the API server says; where it only has no time, after several
    /// tries.
    pub async fn page(
        &mut self,
        path: &str,
        limit: usize,
        from: Option<&str>,
    ) -> Result<String, Problem> {
        let mut path = format!("{path}?limit={limit}");
        if let Some(from) = from {
            path.push_str("&continue=");
            path.push_str(&escaped(from));
        }
        self.text(&path, None).await
    }

    /// One object, as far as its type asks for it.
    ///
    /// # Errors
    ///
    /// As for [`Lists::page`].
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Problem> {
        let metadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        parse(&self.text(path, Some(metadata)).await?)
    }

    /// What the API server has, group by group.
    ///
    /// # Errors
    ///
    /// As for [`Lists::page`]; an API server that is too old to tell.
    pub async fn groups(&mut self) -> Result<Vec<APIGroupDiscovery>, Problem> {
        let accept = kube::core::discovery::v2::ACCEPT_AGGREGATED_DISCOVERY_V2;
        let mut groups = vec![];
        for root in ["/api", "/apis"] {
            let list: APIGroupDiscoveryList = parse(&self.text(root, Some(accept)).await?)?;
            groups.extend(list.items);
        }
        match groups.is_empty() {
            true => Err(Problem::Other(
                "the API server does not tell what it has in one answer: an audit needs \
                 Kubernetes 1.27 or newer"
                    .to_owned(),
            )),
            false => Ok(groups),
        }
    }

    async fn text(&mut self, path: &str, accept: Option<&str>) -> Result<String, Problem> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.ask(path, accept).await {
                Err(error) if is_passing(&error) => {
                    sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer.map_err(problem),
            }
        }
        self.ask(path, accept).await.map_err(problem)
    }

    async fn ask(&mut self, path: &str, accept: Option<&str>) -> Result<String, kube::Error> {
        sleep_until(self.next).await;
        self.next = Instant::now() + self.every;
        let mut request = hyper::Request::get(path);
        if let Some(accept) = accept {
            request = request.header(hyper::header::ACCEPT, accept);
        }
        let request = request.body(vec![]).map_err(kube::Error::HttpError)?;
        match timeout(PATIENCE, self.client.request_text(request)).await {
            Ok(answer) => answer,
            Err(late) => Err(kube::Error::Service(late.into())),
        }
    }

    /// How many objects the next page should have: as many as make two MiB,
    /// if they are like those of the last.
    pub fn size(&self, last: Option<(usize, usize)>) -> usize {
        match (self.page, last) {
            (Some(fixed), _) => fixed,
            (None, None | Some((0, _))) => FIRST,
            (None, Some((objects, bytes))) => {
                let each = (bytes / objects).max(1);
                (PAGE_BYTES / each).clamp(1, MOST)
            }
        }
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let parsed = serde_json::from_str(text);
    parsed.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::Other(format!(
            "the API server's answer cannot be read (line {line}, column {column})"
        ))
    })
}

/// Percent-encoded, as a value of a query or a part of a path.
pub(in crate::cluster) fn escaped(text: &str) -> String {
    let mut into = String::new();
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => into.push(char::from(byte)),
            // Writing to a String does not fail.
            false => drop(write!(into, "%{byte:02X}")),
        }
    }
    into
}

/// Whether the same request may be answered a little later.
fn is_passing(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 500 | 502),
        kube::Error::HyperError(_) => true,
        kube::Error::Service(error) => !error.is::<Elapsed>(),
        _ => false,
    }
}

fn problem(error: kube::Error) -> Problem {
    let status = match error {
        kube::Error::Api(status) => status,
        kube::Error::Service(error) if error.is::<Elapsed>() => {
            let seconds = PATIENCE.as_secs();
            return Problem::Other(format!("the API server took more than {seconds} s"));
        }
        kube::Error::Service(error) => return Problem::Other(one_line(&*error)),
        other => return Problem::Other(other.to_string()),
    };
    match status.code {
        403 => Problem::Forbidden(status.message),
        404 => Problem::NotFound,
        410 => {
            let next = status.metadata.and_then(|list| list.continue_);
            Problem::Expired(next.filter(|next| !next.is_empty()))
        }
        code => Problem::Other(format!("{} ({code})", status.message)),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api(code: u16, more: serde_json::Value) -> kube::Error {
        let mut status: Status = serde_json::from_value(more).expect("a status");
        status.code = code;
        kube::Error::Api(status.boxed())
    }

    #[test]
    fn an_expired_list_goes_on_where_the_api_server_says() {
        let said = serde_json::json!({"metadata": {"continue": "abc"}, "message": "too old"});
        let there = problem(api(410, said));
        assert_eq!(there, Problem::Expired(Some("abc".into())));
        let nowhere = problem(api(410, serde_json::json!({"metadata": {}})));
        assert_eq!(nowhere, Problem::Expired(None));
    }

    #[test]
    fn only_what_passes_is_asked_again() {
        let nothing = serde_json::json!({});
        for (code, passes) in [(500, true), (403, false), (404, false), (410, false)] {
            assert_eq!(is_passing(&api(code, nothing.clone())), passes, "{code}");
        }
    }

    #[test]
    fn a_token_survives_the_query() {
        assert_eq!(escaped("aZ0-._~+/= %&"), "aZ0-._~%2B%2F%3D%20%25%26");
    }
}
