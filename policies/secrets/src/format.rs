//! What kind of text a text is, as far as it matters for values.

/// How values are written in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Configuration: what stands after a key is its value.
    Data,
    /// A shell script: `NAME=value`, and flags.
    Shell,
    /// A program: only what is quoted is a value.
    Code,
    /// Text for people: only what is hard to guess is a value.
    Prose,
}

#[rustfmt::skip]
const CODE: [&str; 44] = [
    "py", "js", "ts", "mjs", "cjs", "jsx", "tsx", "go", "rs", "rb", "php", "pl", "pm", "lua", "java", "kt", "scala",
    "groovy", "gradle", "c", "h", "cpp", "hpp", "cs", "swift", "ps1", "psm1", "vue", "ex", "exs", "erl", "clj", "r",
    "dart", "rego", "jsonnet", "libsonnet", "tpl", "awk", "vcl", "star", "css", "proto", "wat",
];
#[rustfmt::skip]
const SHELL: [&str; 6] = ["sh", "bash", "ash", "zsh", "ksh", "bats"];
#[rustfmt::skip]
const PROSE: [&str; 8] = ["md", "markdown", "rst", "adoc", "html", "htm", "svg", "po"];
#[rustfmt::skip]
const DATA: [&str; 21] = [
    "yaml", "yml", "json", "toml", "ini", "conf", "cfg", "cnf", "env", "properties", "xml", "tf", "hcl", "tfvars", "config",
    "lst", "sql", "netrc", "acl", "cf", "repo",
];

/// Beginnings of lines that only programs have. What is typed by hand in a
/// configuration never looks so.
#[rustfmt::skip]
const STATEMENTS: [&str; 18] = [
    "import ", "from __future__", "def ", "class ", "function ", "const ", "let ", "var ", "package main", "func ",
    "require(", "require_once", "#include", "public class ", "local function", "module.exports", "async def ", "use strict",
];

/// What a text is, by the name of its key, its first line, and its lines.
pub(crate) fn of(key: &str, text: &str) -> Format {
    let extension = key.rsplit_once('.').map_or("", |(_, end)| end);
    let is = |list: &[&str]| {
        list.iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    };
    if let Some(format) = by_interpreter(text) {
        return format;
    }
    match () {
        () if is(&CODE) => Format::Code,
        () if is(&SHELL) => Format::Shell,
        () if is(&PROSE) => Format::Prose,
        () if is(&DATA) => Format::Data,
        () => by_lines(text),
    }
}

/// By what `#!` names.
fn by_interpreter(text: &str) -> Option<Format> {
    let line = text.trim_start().lines().next()?;
    if line.starts_with("<?php") {
        return Some(Format::Code);
    }
    let line = line.strip_prefix("#!")?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut words = line
        .split([' ', '/'])
        .rev()
        .filter(|word| !word.starts_with('-'));
    let name = words.next()?;
    Some(match SHELL.contains(&name) {
        true => Format::Shell,
        false => Format::Code,
    })
}

fn by_lines(text: &str) -> Format {
    let mut is_shell = false;
    for line in text.lines() {
        let line = line.trim_start();
        if STATEMENTS.iter().any(|start| line.starts_with(start)) && is_statement(line) {
            return Format::Code;
        }
        let trimmed = line.trim_end();
        is_shell |= matches!(
            trimmed,
            "fi" | "done" | "esac" | "set -e" | "set -eu" | "set -euo pipefail" | "set -x"
        );
    }
    match is_shell {
        true => Format::Shell,
        false => Format::Data,
    }
}

/// `class web` is a line of a configuration, `class Web:` one of a program.
fn is_statement(line: &str) -> bool {
    let line = line.trim_end();
    let plain = [
        "import ",
        "class ",
        "function ",
        "func ",
        "def ",
        "const ",
        "let ",
        "var ",
    ];
    if !plain.iter().any(|start| line.starts_with(start)) {
        return true;
    }
    line.starts_with("import ") && !line.contains([':', '/', '='])
        || line.contains('=') && !line.contains(':')
        || line.ends_with([':', '{', ';', ')'])
}
