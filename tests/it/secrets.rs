//! Secrets that `check` finds: where they are, what is shown of them, what to
//! write instead; and that no cluster is asked what is for files only.

use serde_json::{Value, json};

use crate::support::{Scratch, root, run, stderr, stdout};

const TOKEN: &str = "v9Xq2LmT7rBz4KwN8sYc";

/// A Deployment with a script in its arguments: a secret in its line 9.
fn script() -> String {
    format!(
        "# a comment\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\n\
         spec: {{template: {{spec: {{containers: [{{name: a, image: 'a:1.2.3'}}]}}}}}}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  \
         template:\n    spec:\n      containers:\n        - name: web\n          image: web:1.2.3\n          \
         command: [sh, -c]\n          args:\n            - |\n              set -e\n\n              \
         export DB_PASSWORD={TOKEN}\n              run\n"
    )
}

fn check(arguments: &[&str]) -> String {
    let output = run(&[&["check"], arguments].concat());
    let text = stdout(&output);
    assert!(!text.is_empty(), "{}", stderr(&output));
    assert!(!text.contains(TOKEN), "{text}");
    text
}

fn of_policy(report: &str, policy: &str) -> Vec<Value> {
    let report: Value = serde_json::from_str(report).expect("a report");
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .filter(|finding| finding["policy"] == policy)
        .cloned()
        .collect()
}

#[test]
fn the_place_of_a_secret_is_its_line_in_the_file_and_in_the_text() {
    let scratch = Scratch::new();
    let file = scratch.file("a.yaml", script());
    let found = of_policy(&check(&[&file, "--output", "json"]), "env-secrets");
    let [finding] = &found[..] else {
        panic!("{found:#?}")
    };
    assert_eq!(finding["within"], json!({"line": 3, "column": 20}));
    assert_eq!(
        (&finding["line"], &finding["column"]),
        (&json!(24), &json!(34))
    );
    let human = check(&[&file]);
    assert!(
        human.contains("--> line 24, column 34: Deployment shop/web, container `web`, spec.template.spec.containers[0].args[0], line 3"),
        "{human}"
    );
    let sarif: Value = serde_json::from_str(&check(&[&file, "--output", "sarif"])).expect("SARIF");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let result = results
        .iter()
        .find(|one| one["ruleId"] == "command-secret")
        .expect("a result");
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        *region,
        json!({"startLine": 24, "endLine": 24, "startColumn": 34})
    );
    assert_eq!(result["properties"]["within"]["line"], 3);
}

#[test]
fn what_is_found_to_be_secret_is_masked_on_the_lines_that_are_shown() {
    let scratch = Scratch::new();
    // Another policy's finding stands on the line of the secret, too.
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop}}\nspec:\n  containers:\n    \
         - {{name: web, env: [{{name: DB_PASSWORD, value: '{TOKEN}'}}], image: 'web:latest'}}\n"
    );
    let file = scratch.file("a.yaml", pod);
    let human = check(&[&file]);
    let line = "6 |     - {name: web, env: [{name: DB_PASSWORD, value: [not shown]}], image: 'web:latest'}";
    assert_eq!(
        human.matches(line).count(),
        human.matches("6 |  ").count(),
        "{human}"
    );
    let carets = human
        .lines()
        .filter(|line| line.trim_start().starts_with("|  "));
    let carets: Vec<(usize, usize)> = carets
        .map(|line| (line.find('^').expect("a caret"), line.matches('^').count()))
        .collect();
    let start = |part: &str| line.find(part).expect("a part") + 4;
    assert!(carets.contains(&(start("[not shown]"), 11)), "{human}");
    assert!(carets.contains(&(start("'web:latest'"), 12)), "{human}");
    // An alias says the same in another place: that line is not shown.
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop, annotations: {{a: &p {TOKEN}}}}}\nspec:\n  containers:\n    \
         - {{name: web, env: [{{name: DB_PASSWORD, value: *p}}], image: 'web:latest', args: [{TOKEN}]}}\n"
    );
    check(&[&scratch.file("b.yaml", pod)]);
}

#[test]
fn a_hint_is_a_secret_without_its_value_and_the_pod_that_reads_it() {
    let scratch = Scratch::new();
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop}}\nspec:\n  containers:\n    \
         - name: web\n      image: web:1.2.3\n      env:\n        - {{name: DB_PASSWORD, value: {TOKEN}}}\n      \
         args: [--admin-token, {TOKEN}]\n"
    );
    let file = scratch.file("a.yaml", pod);
    let found = of_policy(
        &check(&[&file, "--output", "json", "--fix-hints"]),
        "env-secrets",
    );
    assert_eq!(found.len(), 2, "{found:#?}");
    let fix = &found[0]["fix"];
    assert_eq!(*fix, found[1]["fix"]);
    let keys = json!({"DB_PASSWORD": "<the value of DB_PASSWORD>", "ADMIN_TOKEN": "<the value of ADMIN_TOKEN>"});
    assert_eq!(fix["secret"]["stringData"], keys);
    let values: Vec<&Value> = fix["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|one| &one["value"])
        .collect();
    assert_eq!(*values[2], json!("$(ADMIN_TOKEN)"));
    let human = check(&[&file, "--fix-hints"]);
    assert_eq!(human.matches("instead, a Secret").count(), 1, "{human}");
    for part in [
        "      kind: Secret\n      metadata:\n        name: web-secret\n        namespace: shop\n",
        "    and in Pod shop/web, spec.containers[0].env[0]:\n      name: DB_PASSWORD\n      valueFrom:\n",
        "    and in Pod shop/web, one more in spec.containers[0].env:\n",
        "    and in Pod shop/web, spec.containers[0].args[1]:\n      \"$(ADMIN_TOKEN)\"\n",
    ] {
        assert!(human.contains(part), "{part}\n{human}");
    }
    assert!(!check(&[&file]).contains("instead, a Secret"));
}

/// A ConfigMap with a file that holds a secret, and a Deployment that uses it.
fn application(user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: app, namespace: shop}}\ndata:\n  \
         LOG_LEVEL: info\n  TOKEN: {TOKEN}\n  app.yaml: |\n    db:\n      user: shop\n      \
         password: {TOKEN}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, \
         namespace: shop}}\nspec:\n  template:\n    spec:\n      containers:\n        - name: web\n          \
         image: web:1.2.3\n          envFrom: [{{configMapRef: {{name: {user}}}}}]\n      volumes:\n        \
         - {{name: files, configMap: {{name: {user}, items: [{{key: app.yaml, path: app.yaml}}]}}}}\n"
    )
}

/// What people read of one policy alone.
fn hints(scratch: &Scratch, manifests: &str) -> String {
    let policy = root().join("pack/starter/configmap-secrets.yaml");
    let policies = [
        "--profile",
        "none",
        "--policies",
        &policy.display().to_string(),
    ];
    let file = scratch.file("app.yaml", manifests);
    let text = check(&[&policies[..], &["--fix-hints", &file]].concat());
    text.replace(&file, "app.yaml")
}

#[test]
fn a_hint_for_a_config_map_names_the_line_and_changes_what_uses_it() {
    let scratch = Scratch::new();
    insta::assert_snapshot!(hints(&scratch, &application("app")));
}

#[test]
fn a_hint_for_a_config_map_that_nothing_uses_shows_how_pods_would() {
    let scratch = Scratch::new();
    insta::assert_snapshot!(hints(&scratch, &application("other")));
}

#[test]
fn that_there_are_hints_is_one_line_however_many_secrets() {
    let scratch = Scratch::new();
    let file = scratch.file("a.yaml", application("app"));
    let human = check(&[&file]);
    assert_eq!(human.matches("--fix-hints").count(), 1, "{human}");
    assert!(!check(&[&file, "--fix-hints"]).contains("--fix-hints"));
    let clean = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: 'a:latest'}]}\n";
    let clean = scratch.file("b.yaml", clean);
    assert!(!check(&[&clean]).contains("--fix-hints"));
}

#[test]
fn what_judges_values_does_not_load_without_the_grant() {
    let scratch = Scratch::new();
    let file = scratch.file(
        "a.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
    );
    for name in ["configmap-secrets", "plain-secret-in-git"] {
        let pack = std::fs::read_to_string(root().join(format!("pack/starter/{name}.yaml")));
        let mut policy = pack.expect("a policy");
        assert!(check_with(&scratch, &policy, &file).contains("1 object"));
        policy = policy.replace("grants: [values]", "grants: []");
        let said = check_with(&scratch, &policy, &file);
        let part = format!(
            "policy `{name}`: it judges values of Secrets and ConfigMaps: if you trust it with \
             them, write `spec.grants: [values]`"
        );
        assert!(said.contains(&part), "{said}");
    }
}

fn check_with(scratch: &Scratch, policy: &str, file: &str) -> String {
    let policy = scratch.file("policy.yaml", policy);
    let output = run(&["check", "--profile", "none", "--policies", &policy, file]);
    stdout(&output) + &stderr(&output)
}

#[test]
fn secrets_in_files_are_for_check_alone() {
    let scratch = Scratch::new();
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "db", "namespace": "shop"}, "stringData": {"password": TOKEN}});
    let file = scratch.file("secret.json", secret.to_string());
    let found = of_policy(
        &check(&[&file, "--output", "json", "--profile", "strict"]),
        "plain-secret-in-git",
    );
    assert_eq!((found.len(), &found[0]["action"]), (1, &json!("deny")));
    // The webhook is not asked, nor would it deny.
    let ca = scratch.path().join("certs").display().to_string();
    assert!(run(&["certs", &ca]).status.success());
    let url = ["--url", "https://x:1", "--ca-file", &format!("{ca}/ca.crt")];
    let registered = run(&[&["webhook-config", "--profile", "strict"][..], &url].concat());
    assert!(registered.status.success(), "{}", stderr(&registered));
    let registered = stdout(&registered);
    assert!(
        registered.contains("deployments") && !registered.contains("secrets"),
        "{registered}"
    );
    let request = json!({"uid": "u", "operation": "CREATE", "namespace": "shop", "name": "db",
        "kind": {"group": "", "version": "v1", "kind": "Secret"},
        "resource": {"group": "", "version": "v1", "resource": "secrets"},
        "userInfo": {"username": "dev"}, "dryRun": false, "oldObject": null, "object": secret});
    let review =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    let review = scratch.file("review.json", review.to_string());
    let output = run(&["review", "--profile", "strict", &review]);
    let answer: Value = serde_json::from_str(&stdout(&output)).expect("an answer");
    assert_eq!(answer["response"]["allowed"], true, "{answer}");
    assert!(!stdout(&output).contains("plain-secret"), "{answer}");
}
