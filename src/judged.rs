//! What is judged without a server: `check` and `review`.

use anyhow::{Context, Result};
use portcullis::args::{self, Output};
use portcullis::check::{Input, Trust, Wish, check_as};
use portcullis::finding::baseline::Baseline;
use portcullis::finding::{Report, human, json, junit, sarif};
use portcullis::{admit, replay};

use crate::chosen::policy_set;
use crate::print;

pub(crate) fn check(arguments: &args::Check) -> Result<u8> {
    let (_, set) = policy_set(&arguments.policies)?;
    let inputs: Vec<Input> = arguments
        .inputs
        .iter()
        .map(|input| input.as_str().into())
        .collect();
    let is_human = arguments.output == Output::Human;
    let warn = |line: String| {
        if is_human {
            anstream::eprintln!("warning: {line}");
        }
    };
    let trust = match arguments.ignore_exemptions {
        true => Trust::OfPoliciesAlone,
        false => Trust::AsApplied,
    };
    let wish = Wish {
        trust,
        fixes: arguments.fix_hints,
    };
    let mut report = check_as(&set, &inputs, wish, warn);
    let known = apply_baseline(arguments, &mut report)?;
    let code = report.exit_code(arguments.fail_on, arguments.allow_broken);
    print(&match arguments.output {
        Output::Human => human::render(&report, arguments.show_audit),
        Output::Json => json::render(&report)?,
        Output::Sarif => {
            let folder = std::env::current_dir().context("the working directory")?;
            let run = sarif::Run {
                policies: &set,
                folder: &folder,
                exit_code: code,
            };
            sarif::render(&report, run)?
        }
        Output::Junit => junit::render(&report, arguments.fail_on),
    })?;
    if known > 0 {
        anstream::eprintln!("{known} findings of the baseline are not shown");
    }
    Ok(code)
}

/// Writes or subtracts a baseline; says how many findings are known.
fn apply_baseline(arguments: &args::Check, report: &mut Report) -> Result<usize> {
    if let Some(path) = &arguments.write_baseline {
        let baseline = Baseline::of(report);
        let text = baseline.render()?;
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
        return Ok(baseline.subtract(report));
    }
    let Some(path) = &arguments.baseline else {
        return Ok(0);
    };
    let text = std::fs::read(path).with_context(|| path.display().to_string())?;
    let baseline = Baseline::parse(&text).with_context(|| path.display().to_string())?;
    Ok(baseline.subtract(report))
}

pub(crate) fn review(arguments: &args::Review) -> Result<u8> {
    let body = replay::read(&arguments.file)?;
    let decoded = portcullis::review::decode(&body).with_context(|| arguments.file.clone())?;
    let request = match decoded.request {
        Ok(request) => request,
        Err(problem) => {
            return print_line(portcullis::review::encode_refusal(&decoded.uid, &problem));
        }
    };
    let (_, set) = policy_set(&arguments.policies)?;
    let phase = if arguments.mutate {
        admit::Phase::Mutate
    } else {
        admit::Phase::Validate
    };
    let decision = replay::decide(&set, &request, phase, None);
    print_line(portcullis::review::encode(&decoded.uid, &decision))
}

fn print_line(mut answer: Vec<u8>) -> Result<u8> {
    answer.push(b'\n');
    print(&String::from_utf8(answer).context("the answer is UTF-8")?)
}
