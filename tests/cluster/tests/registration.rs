use portcullis_cluster::{Portcullis, User};

use crate::support::{Scene, cluster, deployment};

const DRY: [&str; 4] = ["create", "--dry-run=server", "-f", "-"];

/// A policy that asks for everything that is in a namespace.
const EVERYTHING: &str = r#"
apiVersion: portcullis.dev/v1alpha1
kind: WasmPolicy
metadata: {name: image-tags}
spec:
  program: {builtin: image-tags}
  validationActions: [Deny]
  matchConstraints:
    resourceRules:
      - {apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], operations: ["*"], scope: Namespaced}
"#;

#[test]
fn nothing_in_kube_system_is_judged_even_when_it_is_selected() {
    let namespace = cluster().namespace().unwrap();
    let portcullis = Portcullis::start(cluster(), &["--profile", "strict"]).unwrap();
    let both = format!(
        "kubernetes.io/metadata.name in ({},kube-system)",
        namespace.name()
    );
    let registration = portcullis.register(cluster(), &[&both]).unwrap();
    registration.wait(&portcullis, &namespace).unwrap();
    let mut scene = Scene {
        registration,
        portcullis,
        namespace,
    };
    let manifest = deployment("web", "nginx:latest");
    let in_system = [&["-n", "kube-system"], &DRY[..]].concat();
    let create = || {
        cluster()
            .kubectl(User::Admin, &in_system, &manifest)
            .unwrap()
    };

    let judged = scene
        .namespace
        .kubectl(User::Admin, &DRY, &manifest)
        .unwrap();
    assert_eq!(judged.code, 1, "{judged:?}");
    let silent = "deployment.apps/web created (server dry run)\n".to_owned();
    assert_eq!(create().ok().unwrap(), silent);
    let decisions = scene.portcullis.decisions();
    assert!(!decisions.is_empty());
    // What is in no namespace, such as other tests' roles, is judged for all.
    let in_one = decisions.iter().filter(|one| one["namespace"] != "");
    for decision in in_one {
        assert_eq!(decision["namespace"], scene.namespace.name(), "{decision}");
    }
    scene.portcullis.stop();
    assert_eq!(create().ok().unwrap(), silent, "nobody is asked");
}

#[test]
fn a_policy_on_everything_is_registered_without_what_a_cluster_hangs_on() {
    let folder = std::env::temp_dir().join(format!("portcullis-everything-{}", std::process::id()));
    std::fs::write(&folder, EVERYTHING).unwrap();
    let policy = folder.display().to_string();
    let mut scene = Scene::new(&["--policies", &policy]);
    std::fs::remove_file(&folder).unwrap();
    let before = scene.portcullis.requests().unwrap();
    let admin = |arguments: &[&str], stdin: &str| {
        scene
            .namespace
            .kubectl(User::Admin, arguments, stdin)
            .unwrap()
    };
    let created = admin(&["create", "configmap", "a"], "");
    assert_eq!(created.code, 0, "{created:?}");
    assert!(scene.portcullis.requests().unwrap() > before, "is called");

    scene.portcullis.stop();
    let refused = admin(&["create", "configmap", "b"], "");
    assert_eq!(refused.code, 1, "{refused:?}");
    for (kind, manifest) in [
        (
            "lease",
            r#"{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"kube-root-ca.crt"}}"#,
        ),
        (
            "event",
            r#"{"apiVersion":"v1","kind":"Event","metadata":{"name":"a"},"involvedObject":{"kind":"Pod","namespace":"NS"},"reason":"r"}"#,
        ),
        (
            "access review",
            r#"{"apiVersion":"authorization.k8s.io/v1","kind":"LocalSubjectAccessReview","metadata":{"namespace":"NS"},"spec":{"user":"u","resourceAttributes":{"namespace":"NS","verb":"get","resource":"pods"}}}"#,
        ),
    ] {
        let manifest = manifest.replace("NS", scene.namespace.name());
        let passed = admin(&["create", "-f", "-"], &manifest);
        assert_eq!(passed.code, 0, "{kind}: {passed:?}");
    }
    let root = admin(&["delete", "configmap", "kube-root-ca.crt"], "");
    assert_eq!(root.code, 0, "{root:?}");
}

#[test]
fn a_policy_on_all_of_one_namespace_does_not_bring_the_writes_of_others() {
    let namespace = cluster().namespace().unwrap();
    let portcullis = Portcullis::start(cluster(), &["--profile", "strict"]).unwrap();
    let both = format!(
        "kubernetes.io/metadata.name in ({},default)",
        namespace.name()
    );
    let registration = portcullis.register(cluster(), &[&both]).unwrap();
    registration.wait(&portcullis, &namespace).unwrap();
    let before = portcullis.requests().unwrap();
    // Of a kind that no other policy judges.
    let service = "create service clusterip web --tcp=80 --dry-run=server";
    let arguments: Vec<&str> = service.split(' ').collect();
    let other = namespace.kubectl(User::Dev, &arguments, "").unwrap();
    assert_eq!(other.code, 0, "{other:?}");
    assert_eq!(portcullis.requests().unwrap(), before, "is not called");

    let of_another_policy = deployment("web", "nginx:latest");
    let judged = namespace.kubectl(User::Dev, &DRY, &of_another_policy);
    assert_eq!(judged.unwrap().code, 1);
    assert!(portcullis.requests().unwrap() > before, "is called");

    let in_default = [&["-n", "default"], &arguments[..]].concat();
    let refused = cluster().kubectl(User::Admin, &in_default, "").unwrap();
    assert_eq!(refused.code, 1, "{refused:?}");
    let code = "default-namespace/default-namespace";
    assert!(refused.stderr.contains(code), "{refused:?}");
}

#[test]
fn a_service_is_called_by_its_name_but_its_own_namespace_is_not_judged() {
    let (home, namespace) = (
        cluster().namespace().unwrap(),
        cluster().namespace().unwrap(),
    );
    let name = format!("portcullis.{}.svc", home.name());
    let portcullis = Portcullis::start_as(cluster(), &[&name], &["--profile", "strict"]).unwrap();
    let (host, port) = portcullis.address();
    // No kube-proxy is needed to find it (design: control-plane.md, section 2).
    let host = if host == "127.0.0.1" {
        "localhost"
    } else {
        host
    };
    let service = [
        "create",
        "service",
        "externalname",
        "portcullis",
        "--external-name",
    ];
    let service = home
        .kubectl(User::Admin, &[&service[..], &[host]].concat(), "")
        .unwrap();
    assert_eq!(service.code, 0, "{service:?}");

    let both = format!(
        "kubernetes.io/metadata.name in ({},{})",
        home.name(),
        namespace.name()
    );
    let target = format!("{}/portcullis:{port}", home.name());
    let registration = portcullis
        .register_with(cluster(), &[&both], &["--service", &target])
        .unwrap();
    registration.wait(&portcullis, &namespace).unwrap();
    let manifest = deployment("web", "nginx:latest");
    let judged = namespace.kubectl(User::Dev, &DRY, &manifest).unwrap();
    assert_eq!(judged.code, 1, "{judged:?}");
    assert!(
        judged.stderr.contains("image-tags/image-latest"),
        "{judged:?}"
    );
    let own = home.kubectl(User::Dev, &DRY, &manifest).unwrap();
    assert_eq!(own.code, 0, "{own:?}");
}

#[test]
fn an_applied_registration_is_what_was_printed() {
    let scene = Scene::new(&["--profile", "strict"]);
    let name = scene.registration.name();
    let arguments = ["--name", name, "--namespace-selector"];
    let own = crate::support::named(&scene.namespace);
    let printed = scene
        .portcullis
        .webhook_config(&[&arguments[..], &[&own]].concat())
        .unwrap();
    let diff = cluster()
        .kubectl(User::Admin, &["diff", "-f", "-"], &printed)
        .unwrap();
    assert_eq!((diff.code, diff.stdout.as_str()), (0, ""), "{diff:?}");
}
