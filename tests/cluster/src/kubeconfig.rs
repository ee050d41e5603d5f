//! Kubeconfigs. JSON is YAML, so that is what they are.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::kubectl::{DEV_GROUP, DEV_USER};

/// Makes kubectl print the context in use, with all files inlined.
pub(crate) const VIEW: [&str; 7] = [
    "config",
    "view",
    "--raw",
    "--minify",
    "--flatten",
    "-o",
    "json",
];

/// Writes NAME.kubeconfig for a client of `certificates`.
pub(crate) fn write(folder: &Folder, name: &str, port: u16) -> Result<()> {
    let user = json!({
        "client-certificate": folder.file(&format!("{name}.crt")),
        "client-key": folder.file(&format!("{name}.key")),
    });
    write_user(folder, name, port, &user)?;
    Ok(())
}

/// Writes NAME.kubeconfig for the bearer of a token, and gives its path.
pub(crate) fn write_token(folder: &Folder, name: &str, port: u16, token: &str) -> Result<PathBuf> {
    write_user(folder, name, port, &json!({"token": token}))
}

fn write_user(folder: &Folder, name: &str, port: u16, user: &Value) -> Result<PathBuf> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": folder.file("ca.crt"),
        }}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": "test", "user": name}}],
        "current-context": name,
    });
    let path = folder.write(&format!("{name}.kubeconfig"), &config.to_string())?;
    Ok(path.into())
}

/// Writes account.kubeconfig: the cluster of another kubeconfig, by a token.
pub(crate) fn with_token(folder: &Folder, config: &str, token: &str) -> Result<()> {
    let mut config: Value = serde_json::from_str(config).context("the kubeconfig")?;
    let users = config["users"].as_array_mut().into_iter().flatten();
    for user in users {
        user["user"] = json!({"token": token});
    }
    folder.write("account.kubeconfig", &config.to_string())?;
    Ok(())
}

/// Writes admin.kubeconfig and dev.kubeconfig for a cluster that is not ours.
/// `config` is one context with all its files inlined; there, `dev` is the
/// same user who impersonates him.
pub(crate) fn write_foreign(folder: &Folder, config: &str) -> Result<()> {
    folder.write("admin.kubeconfig", config)?;
    let mut config: Value = serde_json::from_str(config).context("the kubeconfig")?;
    let users = config["users"].as_array_mut().into_iter().flatten();
    for user in users {
        user["user"]["as"] = DEV_USER.into();
        user["user"]["as-groups"] = json!([DEV_GROUP]);
    }
    folder.write("dev.kubeconfig", &config.to_string())?;
    Ok(())
}
