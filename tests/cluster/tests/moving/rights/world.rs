//! Who is there, and what belongs to whom.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::{Stage, served_as};
use crate::asked::{Asker, Person, Verb};
use crate::search::Search;

/// What nobody of those who try may come to see: what was moved out of
/// ConfigMaps, what was moved before, and what never was in one.
pub(super) const VALUES: [&str; 7] = [
    "k7Qm2vX9-rT4wLz8p-before",
    "Zr8tYw3n-Jb6Lq1Xs-passwd",
    "Hd5Kp0Vg-Mx2Ta7Rc-tokens",
    "Wn4Ej9Fu-Bv3Sy6Gz-dbpass",
    "Ql1Oc8Ih-Pk5Du2Tm-others",
    "Xa6Rw7Ne-Vf0Zg9Lb-privat",
    "Tj3Us4Yd-Ck8Mo1Hp-binary",
];

/// The namespaces and the people of the matrix.
pub(super) struct World {
    pub(super) asker: Asker,
    /// Enrolled.
    pub(super) home: String,
    /// Enrolled, and somebody else's.
    pub(super) other: String,
    /// Not enrolled.
    pub(super) plain: String,
    /// May write ConfigMaps of `home`, and nothing else.
    pub(super) eve: Person,
    /// The same, as an account of `home`.
    pub(super) robot: Person,
    /// May write ConfigMaps and pods of `home`, and no Secrets.
    pub(super) pat: Person,
    /// May write ConfigMaps and Secrets of `home`.
    pub(super) kay: Person,
    /// Administers `other` and `plain`; reads ConfigMaps of `home`.
    pub(super) ned: Person,
    /// May write namespaces, and no policies.
    pub(super) nan: Person,
    /// ConfigMap `app` of `home`.
    pub(super) app: Value,
    /// Placeholders by what they are of.
    pub(super) of: Placeholders,
    pub(super) search: Search,
}

/// Texts of placeholders.
pub(super) struct Placeholders {
    /// `app`, `PASSWORD`: the present one, and the one before.
    pub(super) password: String,
    pub(super) before: String,
    /// `app`, `TOKEN`.
    pub(super) token: String,
    /// `db`, `PASSWORD`.
    pub(super) other_map: String,
    /// `app`, `PASSWORD`, of the other namespace.
    pub(super) other_namespace: String,
}

pub(super) fn maps(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

fn text(object: &Value, key: &str) -> String {
    let text = object["data"][key].as_str().expect("text").to_owned();
    assert!(text.starts_with("moved-secret:v1:"), "{key} was not moved");
    text
}

impl World {
    pub(super) fn new(stage: &mut Stage) -> World {
        let asker = Asker::new();
        let (home, other) = (stage.enrolled("home"), stage.enrolled("other"));
        let plain = stage.namespace("plain");
        let [old, password, token, db, foreign, private, binary] = VALUES;
        let map = |namespace: &str, name: &str, data: Value| {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "annotations": {"note": "none"}}, "data": data,
                "binaryData": {"app.env": STANDARD.encode(format!("DB_PASSWORD={binary}\n")),
                    "logo": "AAEC"}});
            let path = format!("{}/{name}", maps(namespace));
            asker.admin(Verb::Apply, &path, object)
        };
        let app =
            |value: &str| json!({"PASSWORD": value, "ADMIN_PASSWORD": token, "LOG_LEVEL": "info"});
        let before = text(&map(&home, "app", app(old)), "PASSWORD");
        let stored = map(&home, "app", app(password));
        let of_db = map(&home, "db", json!({"PASSWORD": db}));
        let of_other = map(&other, "app", json!({"PASSWORD": foreign}));
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "private"},
            "stringData": {"PASSWORD": private}});
        let secrets = format!("/api/v1/namespaces/{home}/secrets");
        asker.admin(Verb::Create, &secrets, secret);
        for (namespace, name, value) in [
            (&home, "app", password),
            (&home, "db", db),
            (&other, "app", foreign),
        ] {
            served_as(namespace, name, value);
        }
        let people = People::of(stage.installation.name(), &home);
        people.bind(&asker, [&home, &other, &plain]);
        let of = Placeholders {
            password: text(&stored, "PASSWORD"),
            before,
            token: text(&stored, "ADMIN_PASSWORD"),
            other_map: text(&of_db, "PASSWORD"),
            other_namespace: text(&of_other, "PASSWORD"),
        };
        let [eve, robot, pat, kay, ned, nan] = people.all;
        // What follows from the setting up has followed.
        std::thread::sleep(Duration::from_secs(1));
        World {
            search: Search::new(VALUES.into_iter()),
            app: asker.get(&format!("{}/app", maps(&home))),
            asker,
            home,
            other,
            plain,
            eve,
            robot,
            pat,
            kay,
            ned,
            nan,
            of,
        }
    }
}

/// Those who try, and what they may do.
struct People {
    run: String,
    all: [Person; 6],
}

impl People {
    fn of(run: &str, home: &str) -> People {
        let user = |name: &str| Person::user(&format!("{run}-{name}"));
        let robot = Person::account(home, "robot");
        let (run, all) = (
            run.to_owned(),
            [
                user("eve"),
                robot,
                user("pat"),
                user("kay"),
                user("ned"),
                user("nan"),
            ],
        );
        People { run, all }
    }

    fn bind(&self, asker: &Asker, [home, other, plain]: [&String; 3]) {
        const READ: [&str; 3] = ["get", "list", "watch"];
        const WRITE: [&str; 7] = [
            "get", "list", "create", "update", "patch", "delete", "watch",
        ];
        let [eve, robot, pat, kay, ned, nan] = &self.all;
        let core = |resources: &[&str], verbs: &[&str]| json!({"apiGroups": [""], "resources": resources, "verbs": verbs});
        let status = json!({"apiGroups": ["portcullis.dev"], "resources": ["relocations"],
            "verbs": READ});
        let seen = core(&["events"], &READ);
        let pods = ["pods", "pods/ephemeralcontainers"];
        let all = [&WRITE[..], &["deletecollection"]].concat();
        let of_home = [
            (eve, "eve", vec![core(&["configmaps"], &WRITE)]),
            (robot, "robot", vec![core(&["configmaps"], &WRITE)]),
            (
                pat,
                "pat",
                vec![core(&["configmaps"], &WRITE), core(&pods, &WRITE)],
            ),
            (kay, "kay", vec![core(&["configmaps", "secrets"], &all)]),
            (ned, "ned", vec![core(&["configmaps"], &READ)]),
        ];
        for (person, name, mut rules) in of_home {
            rules.extend([status.clone(), seen.clone()]);
            self.role(asker, Some(home), (person, name), json!(rules));
        }
        for namespace in [other, plain] {
            let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
            self.role(asker, Some(namespace), (ned, "ned"), all);
        }
        let namespaces = core(
            &["namespaces", "namespaces/status", "namespaces/finalize"],
            &WRITE,
        );
        self.role(asker, None, (nan, "nan"), json!([namespaces]));
    }

    /// A role with its binding, of a namespace or of the cluster.
    fn role(
        &self,
        asker: &Asker,
        namespace: Option<&str>,
        (person, short): (&Person, &str),
        rules: Value,
    ) {
        let group = "rbac.authorization.k8s.io";
        let name = format!("{}-{short}", self.run);
        let (place, kind) = match namespace {
            Some(namespace) => (format!("/namespaces/{namespace}"), "Role"),
            None => (String::new(), "ClusterRole"),
        };
        let Person::User(user, _) = person else {
            return;
        };
        let path = |plural: &str| format!("/apis/{group}/v1{place}/{plural}s");
        let of = |kind: &str, more: Value| {
            let mut object = json!({"apiVersion": format!("{group}/v1"), "kind": kind,
                "metadata": {"name": name}});
            super::merge(&mut object, &more);
            object
        };
        let role = of(kind, json!({"rules": rules}));
        asker.admin(Verb::Create, &path(&kind.to_lowercase()), role);
        let bound = of(
            &format!("{kind}Binding"),
            json!({"roleRef": {"apiGroup": group, "kind": kind, "name": name},
                "subjects": [{"apiGroup": group, "kind": "User", "name": user}]}),
        );
        asker.admin(
            Verb::Create,
            &path(&format!("{}binding", kind.to_lowercase())),
            bound,
        );
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Person::User(nan, _) = &self.nan else {
            return;
        };
        for kind in ["clusterrolebindings", "clusterroles"] {
            let path = format!("/apis/rbac.authorization.k8s.io/v1/{kind}/{nan}");
            let delete = crate::asked::Ask::new(Verb::Delete, path, Value::Null);
            self.asker.ask(&Person::Admin, &delete);
        }
    }
}
