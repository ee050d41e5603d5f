//! Portcullis as it looks after a cluster: `serve --cluster`, several replicas,
//! a Service, an account with the rights of `deploy/rbac.yaml`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::balancer::Balancer;
use crate::cluster::Cluster;
use crate::folder::Folder;
use crate::kubectl::{Answer, User};
use crate::namespace::Namespace;
use crate::portcullis::{LOOPBACK, binary, output, serving};
use crate::process::{Process, wait};
use crate::proxy::Proxy;
use crate::{http, kubeconfig, neighbours};

const PATIENCE: Duration = Duration::from_secs(60);
/// The kinds of webhook configurations, as kubectl takes them.
const KINDS: [&str; 2] = [
    "validatingwebhookconfiguration",
    "mutatingwebhookconfiguration",
];

/// An installation: gone with its registration when it is dropped.
pub struct Installation<'c> {
    /// Where its objects are.
    pub home: Namespace<'c>,
    /// Its Service.
    pub service: Balancer,
    name: String,
    folder: Folder,
    /// Through a proxy, if there is one.
    kubeconfig: Option<PathBuf>,
    replicas: Vec<Replica>,
}

/// One replica.
struct Replica {
    name: String,
    process: Vec<Process>,
    https: SocketAddr,
    plain: SocketAddr,
}

impl<'c> Installation<'c> {
    /// A namespace, a Service and an account; no replica yet.
    ///
    /// # Errors
    ///
    /// The API server refuses any of it.
    pub fn new(cluster: &'c Cluster) -> Result<Installation<'c>> {
        let installation = Installation {
            home: cluster.namespace()?,
            service: Balancer::start()?,
            name: crate::unique(),
            folder: Folder::new(cluster.plane())?,
            kubeconfig: None,
            replicas: vec![],
        };
        let service = [
            "create",
            "service",
            "externalname",
            "portcullis",
            "--external-name=localhost",
        ];
        installation.admin(&service, "")?;
        // Its objects are of several namespaces, and name them.
        let account = installation.account()?;
        let apply = ["apply", "-f", "-"];
        cluster.kubectl(User::Admin, &apply, &account)?.ok()?;
        let token = ["create", "token", &installation.name, "--duration=3h"];
        let token = installation.admin(&token, "")?;
        let admin = std::fs::read_to_string(cluster.kubeconfig(User::Admin))?;
        kubeconfig::with_token(&installation.folder, &admin, token.trim())?;
        Ok(installation)
    }

    /// `deploy/rbac.yaml`, for this namespace and name.
    fn account(&self) -> Result<String> {
        let rbac = std::fs::read_to_string(crate::root().join("deploy/rbac.yaml"))?;
        let name = &self.name;
        Ok(rbac
            .replace(
                "namespace: portcullis\n",
                &format!("namespace: {}\n", self.home.name()),
            )
            .replace("name: portcullis\n", &format!("name: {name}\n"))
            .replace("[portcullis]", &format!("[{name}]")))
    }

    fn admin(&self, arguments: &[&str], stdin: &str) -> Result<String> {
        self.home
            .kubectl(User::Admin, arguments, stdin)
            .and_then(Answer::ok)
    }

    /// The name of its configurations.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name by which the API server calls.
    pub fn host(&self) -> String {
        format!("portcullis.{}.svc", self.home.name())
    }

    /// Its kubeconfig.
    fn kubeconfig(&self) -> String {
        let direct = || self.folder.file("account.kubeconfig");
        let through = self.kubeconfig.as_ref();
        through.map_or_else(direct, |path| path.display().to_string())
    }

    /// Replicas that are started from now on reach the API server through
    /// this proxy.
    ///
    /// # Errors
    ///
    /// The API server gives no token for the account.
    pub fn through(&mut self, proxy: &Proxy<'_>) -> Result<()> {
        self.kubeconfig = Some(proxy.kubeconfig(self.home.name(), &self.name)?);
        Ok(())
    }

    /// Its account, as the API server names it.
    pub fn account_name(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.home.name(), self.name)
    }

    /// Starts a replica that judges only what is in `namespaces` (none of them:
    /// in all that are not excluded, for a cluster of a test's own), with these
    /// options besides, and puts it behind the Service.
    ///
    /// # Errors
    ///
    /// It does not start: with the end of its log.
    pub fn start(&mut self, namespaces: &[&Namespace<'_>], arguments: &[&str]) -> Result<()> {
        self.start_apart(namespaces, arguments)?;
        self.balance();
        Ok(())
    }

    /// [`Installation::start`], but nobody finds it by the Service.
    ///
    /// # Errors
    ///
    /// As [`Installation::start`].
    pub fn start_apart(&mut self, namespaces: &[&Namespace<'_>], arguments: &[&str]) -> Result<()> {
        let name = format!("replica-{}", self.replicas.len());
        let command = self.command_line(&name, namespaces, arguments)?;
        let folder = self.folder.path().join(&name);
        std::fs::create_dir(&folder)?;
        let process = Process::start(self.home.cluster.plane(), &folder, "portcullis", &command)?;
        let mut process = vec![process];
        let log = folder.join("portcullis.log");
        let mut addresses = None;
        wait("portcullis serves", PATIENCE, &mut process, || {
            addresses = serving(&std::fs::read_to_string(&log)?)?;
            Ok(addresses.is_some())
        })?;
        let (https, plain) = addresses.context("it serves somewhere")?;
        self.replicas.push(Replica {
            name,
            process,
            https,
            plain,
        });
        Ok(())
    }

    fn command_line(
        &self,
        name: &str,
        namespaces: &[&Namespace<'_>],
        arguments: &[&str],
    ) -> Result<Vec<String>> {
        let names = namespaces.iter().map(|namespace| namespace.name());
        let names = names.collect::<Vec<_>>().join(",");
        let command = [
            "run".to_owned(),
            binary()?.display().to_string(),
            "serve".to_owned(),
            format!("--kubeconfig={}", self.kubeconfig()),
            format!("--namespace={}", self.home.name()),
            format!("--service=portcullis:{}", self.service.port()),
            format!("--self-call-address={LOOPBACK}:{}", self.service.port()),
            format!("--registration={}", self.name),
            format!("--identity={name}"),
            format!("--listen={LOOPBACK}:0"),
            format!("--metrics-listen={LOOPBACK}:0"),
        ];
        let is_delay = |argument: &&str| argument.starts_with("--drain-delay=");
        let at_once = match arguments.iter().any(is_delay) {
            true => None,
            false => Some("--drain-delay=0s".to_owned()),
        };
        let selector = format!("--namespace-selector=kubernetes.io/metadata.name in ({names})");
        let selector = (!namespaces.is_empty()).then_some(selector);
        let arguments = [&["--cluster"], arguments].concat();
        let arguments = neighbours::options(self.home.cluster, &arguments);
        Ok(command
            .into_iter()
            .chain(selector)
            .chain(at_once)
            .chain(arguments)
            .collect())
    }

    /// Puts all replicas behind the Service.
    pub fn balance(&self) {
        let backends: Vec<SocketAddr> = self.replicas.iter().map(|one| one.https).collect();
        self.service.set(&backends);
    }

    /// Puts all replicas behind the Service but this one.
    pub fn balance_without(&self, name: &str) {
        let others = self.replicas.iter().filter(|one| one.name != name);
        let backends: Vec<SocketAddr> = others.map(|one| one.https).collect();
        self.service.set(&backends);
    }

    /// Kills a replica (SIGKILL); it stays behind the Service.
    pub fn kill(&mut self, name: &str) {
        for replica in self
            .replicas
            .iter_mut()
            .filter(|replica| replica.name == name)
        {
            replica.process.clear();
        }
    }

    /// Asks a replica to end (SIGTERM).
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn terminate(&mut self, name: &str) -> Result<()> {
        let replica = self
            .replicas
            .iter_mut()
            .find(|replica| replica.name == name);
        let replica = replica.with_context(|| format!("no replica {name}"))?;
        replica.process.iter_mut().try_for_each(Process::terminate)
    }

    /// Fails if a replica has ended that should not have.
    ///
    /// # Errors
    ///
    /// Which, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        let processes = self
            .replicas
            .iter_mut()
            .flat_map(|replica| &mut replica.process);
        processes.into_iter().try_for_each(Process::check)
    }

    /// Whether a replica has ended.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn has_ended(&self, name: &str) -> Result<bool> {
        let replica = self.replicas.iter().find(|replica| replica.name == name);
        let replica = replica.with_context(|| format!("no replica {name}"))?;
        // The port of the metrics is open as long as the process runs.
        Ok(std::net::TcpStream::connect(replica.plain).is_err())
    }

    /// Of each replica that was not killed, whether it is ready.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn ready(&self) -> Result<Vec<bool>> {
        let running = self.replicas.iter();
        let running = running.filter(|replica| !replica.process.is_empty());
        Ok(running
            .map(|replica| http::get(replica.plain, "/readyz").is_ok())
            .collect())
    }

    /// What all replicas have logged.
    pub fn log(&self) -> String {
        let processes = self.replicas.iter().flat_map(|replica| &replica.process);
        processes.map(Process::log).collect()
    }

    /// The replica that holds the Lease, if one does.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub fn leader(&self) -> Result<Option<String>> {
        let lease = self.get("lease/portcullis-leader")?;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        Ok(holder.split_once('_').map(|(name, _)| name.to_owned()))
    }

    /// An object of its namespace; null if it is not there.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub fn get(&self, object: &str) -> Result<Value> {
        let text = self.admin(&["get", object, "--ignore-not-found", "-o", "json"], "")?;
        match text.trim() {
            "" => Ok(Value::Null),
            text => Ok(serde_json::from_str(text)?),
        }
    }

    /// Its two configurations, validating and mutating; null where not there.
    ///
    /// # Errors
    ///
    /// The API server does not answer. They judge what other tests make.
    pub fn configurations(&self) -> Result<[Value; 2]> {
        let get = |kind: &str| {
            let live = self.get(&format!("{kind}/{}", self.name))?;
            neighbours::check(self.home.cluster, &live)?;
            Ok::<_, anyhow::Error>(live)
        };
        Ok([get(KINDS[0])?, get(KINDS[1])?])
    }

    /// What it remembers; null before it remembers anything.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub fn state(&self) -> Result<Value> {
        let map = self.get("configmap/portcullis-state")?;
        let text = map["data"]["state.json"].as_str();
        text.map_or(Ok(Value::Null), |text| Ok(serde_json::from_str(text)?))
    }

    /// One value of the metrics of each replica that runs.
    ///
    /// # Errors
    ///
    /// A replica does not answer.
    pub fn metric(&self, name: &str) -> Result<Vec<f64>> {
        let running = self
            .replicas
            .iter()
            .filter(|replica| !replica.process.is_empty());
        let value = |replica: &Replica| {
            let text = http::get(replica.plain, "/metrics")?;
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            let found = lines.find(|(known, _)| *known == name);
            Ok(found
                .and_then(|(_, value)| value.parse().ok())
                .unwrap_or(0.0))
        };
        running.map(value).collect()
    }

    /// Runs `portcullis COMMAND` for this installation, as an administrator.
    ///
    /// # Errors
    ///
    /// It fails.
    pub fn command(&self, command: &str) -> Result<String> {
        let config = self
            .home
            .cluster
            .kubeconfig(User::Admin)
            .display()
            .to_string();
        output(&[
            command,
            "--kubeconfig",
            &config,
            "--namespace",
            self.home.name(),
            "--registration",
            &self.name,
        ])
    }

    /// A certificate for its Service that somebody else made: `ca.crt`,
    /// `tls.crt`, `tls.key` in the folder that is given.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn foreign_certificates(&self) -> Result<PathBuf> {
        let folder = self.folder.file("certs");
        output(&["certs", &folder, "--name", &self.host(), "--force"])?;
        Ok(folder.into())
    }

    /// Asks again until something holds, for at most `most`; gives how long it
    /// took.
    ///
    /// # Errors
    ///
    /// It never holds: with the end of the logs.
    pub fn eventually(
        &self,
        what: &str,
        most: Duration,
        mut holds: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<Duration> {
        let started = Instant::now();
        while !holds(self)? {
            ensure!(
                started.elapsed() < most,
                "after {} s not yet: {what}\nstate: {:#}\n{}",
                most.as_secs(),
                self.state()?,
                self.replicas
                    .iter()
                    .flat_map(|replica| &replica.process)
                    .map(Process::last_words)
                    .collect::<String>()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(started.elapsed())
    }
}

impl Drop for Installation<'_> {
    fn drop(&mut self) {
        self.replicas.clear();
        let kinds = format!("{},{},clusterrole,clusterrolebinding", KINDS[0], KINDS[1]);
        let delete = ["delete", &kinds, &self.name, "--ignore-not-found"];
        let kinds = "role,rolebinding";
        let events = ["delete", kinds, &self.name, "-n", "default"];
        for delete in [&delete[..], &events] {
            if let Err(error) = self.admin(delete, "") {
                eprintln!("installation {} is still there: {error:#}", self.name);
            }
        }
    }
}

/// The failurePolicy of each entry of a configuration, by name.
pub fn failure_policies(configuration: &Value) -> Vec<(String, String)> {
    let entries = configuration["webhooks"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let policies = entries.map(|entry| (text(&entry["name"]), text(&entry["failurePolicy"])));
    policies.collect()
}

/// A merge patch that sets one member of the first entry, as JSON patch.
pub fn edit(member: &str, value: &Value) -> String {
    json!([{"op": "add", "path": format!("/webhooks/0/{member}"), "value": value}]).to_string()
}
