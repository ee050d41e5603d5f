//! Requests to the API server as anybody, with all that it says to them: its
//! answer, its code and its warnings.

use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::header::{HeaderValue, WARNING};
use kube::Client;
use kube::client::Body;
use portcullis_cluster::User;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::policies::client;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Person {
    /// May do everything.
    Admin,
    /// This user with these groups.
    User(String, Vec<String>),
}

/// How something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Create,
    Replace,
    Merge,
    Strategic,
    Json,
    Apply,
    Delete,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) verb: Verb,
    /// From the slash on.
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) dry_run: bool,
}

/// What the API server says.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) code: u16,
    pub(crate) body: String,
    pub(crate) warnings: String,
}

/// A connection that speaks for anybody.
pub(crate) struct Asker {
    runtime: Runtime,
    client: Client,
}

impl Person {
    pub(crate) fn user(name: &str) -> Person {
        Person::User(name.to_owned(), vec!["system:authenticated".to_owned()])
    }

    pub(crate) fn account(namespace: &str, name: &str) -> Person {
        let groups = [
            "system:authenticated".to_owned(),
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
        ];
        Person::User(
            format!("system:serviceaccount:{namespace}:{name}"),
            groups.into(),
        )
    }
}

impl Verb {
    fn method(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Create => "POST",
            Verb::Replace => "PUT",
            Verb::Merge | Verb::Strategic | Verb::Json | Verb::Apply => "PATCH",
            Verb::Delete => "DELETE",
        }
    }

    fn content(self) -> &'static str {
        match self {
            Verb::Get | Verb::Create | Verb::Replace | Verb::Delete => "application/json",
            Verb::Merge => "application/merge-patch+json",
            Verb::Strategic => "application/strategic-merge-patch+json",
            Verb::Json => "application/json-patch+json",
            Verb::Apply => "application/apply-patch+yaml",
        }
    }
}

impl Ask {
    pub(crate) fn new(verb: Verb, path: impl Into<String>, body: Value) -> Ask {
        Ask {
            verb,
            path: path.into(),
            body,
            dry_run: false,
        }
    }

    /// As nobody else's manager of fields: what one applies takes nothing from
    /// another.
    fn target(&self, person: &Person) -> String {
        let mut options = Vec::new();
        if self.dry_run {
            options.push("dryRun=All");
        }
        if !matches!(self.verb, Verb::Get | Verb::Delete) {
            options.push(match person {
                Person::Admin => "fieldManager=admin",
                Person::User(..) => "fieldManager=user",
            });
        }
        if self.verb == Verb::Apply {
            options.push("force=true");
        }
        let before = match self.path.contains('?') {
            true => '&',
            false => '?',
        };
        format!("{}{before}{}", self.path, options.join("&"))
    }
}

impl Said {
    pub(crate) fn is_good(&self) -> bool {
        self.code < 300
    }

    /// The answer as an object; null if it is none.
    pub(crate) fn object(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// What a refusal says.
    pub(crate) fn message(&self) -> String {
        let text = self.object()["message"].as_str().map(str::to_owned);
        text.unwrap_or_else(|| self.body.clone())
    }
}

impl Asker {
    pub(crate) fn new() -> Asker {
        let runtime = Runtime::new().expect("a runtime");
        let client = runtime.block_on(client(User::Admin));
        Asker { runtime, client }
    }

    /// Asks as this person.
    pub(crate) fn ask(&self, person: &Person, ask: &Ask) -> Said {
        let mut request = Request::builder()
            .method(ask.verb.method())
            .uri(ask.target(person))
            .header("Content-Type", ask.verb.content())
            .header("Accept", "application/json");
        if let Person::User(name, groups) = person {
            request = request.header("Impersonate-User", name);
            for group in groups {
                request = request.header("Impersonate-Group", group);
            }
        }
        let body = match ask.verb {
            Verb::Get => String::new(),
            _ if ask.body.is_null() => String::new(),
            _ => ask.body.to_string(),
        };
        let request = request
            .body(Body::from(body.into_bytes()))
            .expect("a request");
        self.runtime.block_on(async {
            let answer = self.client.send(request).await.expect("an answer");
            let code = answer.status().as_u16();
            let warnings = answer.headers().get_all(WARNING).into_iter();
            let warnings = warnings
                .map(HeaderValue::as_bytes)
                .map(String::from_utf8_lossy);
            let warnings = warnings.collect::<Vec<_>>().join("\n");
            let body = answer
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes();
            let body = String::from_utf8_lossy(&body).into_owned();
            Said {
                code,
                body,
                warnings,
            }
        })
    }

    /// Asks as an administrator, who gets what he asks for.
    pub(crate) fn admin(&self, verb: Verb, path: &str, body: Value) -> Value {
        let said = self.ask(&Person::Admin, &Ask::new(verb, path, body));
        assert!(said.is_good(), "{verb:?} {path}: {}", said.body);
        said.object()
    }

    /// What there is at a path, as an administrator finds it; null if nothing is.
    pub(crate) fn get(&self, path: &str) -> Value {
        let said = self.ask(&Person::Admin, &Ask::new(Verb::Get, path, Value::Null));
        match said.code {
            404 => Value::Null,
            _ => said.object(),
        }
    }
}
