//! A plan in words.

use std::fmt::Write;

use super::{Plan, State};
use crate::network::ALLOW;
use crate::policy::decision::plain;

impl Plan {
    /// Whether nothing that is in use would be closed.
    pub fn closes_nothing(&self) -> bool {
        self.ways.iter().all(|way| way.state != State::Closed)
    }

    /// A line for each way in, with what to write where it would be closed, and
    /// the annotation that keeps all of them open.
    pub fn render(&self) -> String {
        let (name, profile) = (&self.namespace, &self.profile);
        let mut out = String::new();
        if self.is_covered {
            let _ = writeln!(
                out,
                "{name}: another policy covers it, so that profile {profile} would make none and \
                 close nothing"
            );
            return out;
        }
        let closed = self.ways.iter().filter(|way| way.state == State::Closed);
        let (closed, all) = (closed.count(), self.ways.len());
        let _ = writeln!(
            out,
            "{name}: profile {profile} would close {closed} of {all} ways in that are in use"
        );
        for way in &self.ways {
            let word = match way.state {
                State::Closed => "closed ",
                State::Unknown => "unknown",
                State::Open => "open   ",
            };
            let _ = writeln!(out, "{word}  {}", plain(&way.text));
            if !way.flows.is_empty() {
                let when = match way.state {
                    State::Unknown => "if it is elsewhere, write",
                    _ => "to keep it open, write",
                };
                let _ = writeln!(out, "         {when} {}", plain(&way.flows.join(", ")));
            }
        }
        self.annotation(&mut out);
        out
    }

    /// What is closed for sure, in one command.
    fn annotation(&self, out: &mut String) {
        let closed = self.ways.iter().filter(|way| way.state == State::Closed);
        let mut flows: Vec<&str> = Vec::new();
        for flow in closed.flat_map(|way| &way.flows) {
            if !flows.contains(&flow.as_str()) {
                flows.push(flow);
            }
        }
        if flows.is_empty() {
            return;
        }
        let (overwrite, before) = match self.allow.trim() {
            "" => ("", String::new()),
            allow => ("--overwrite ", format!("{allow},")),
        };
        let name = &self.namespace;
        let flows = plain(&format!("{before}{}", flows.join(",")));
        let _ = writeln!(
            out,
            "\nall of it:\n  kubectl annotate {overwrite}namespace {name} '{ALLOW}={flows}'"
        );
    }
}
