//! Kubeconfigs. JSON is YAML, so that is what they are.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::kubectl::{DEV_GROUP, DEV_USER};

/// Writes NAME.kubeconfig for a client of `certificates`.
pub(crate) fn write(folder: &Folder, name: &str, port: u16) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": folder.file("ca.crt"),
        }}],
        "users": [{"name": name, "user": {
            "client-certificate": folder.file(&format!("{name}.crt")),
            "client-key": folder.file(&format!("{name}.key")),
        }}],
        "contexts": [{"name": name, "context": {"cluster": "test", "user": name}}],
        "current-context": name,
    });
    folder.write(&format!("{name}.kubeconfig"), &config.to_string())?;
    Ok(())
}

/// Writes account.kubeconfig: the cluster of another kubeconfig, by a token.
pub(crate) fn write_token(folder: &Folder, config: &str, token: &str) -> Result<()> {
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
