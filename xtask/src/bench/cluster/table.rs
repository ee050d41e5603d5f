//! The report for people: Markdown, as it stands in docs/performance.md.

use std::fmt::Write;

use serde_json::Value;

/// Tables of everything that was measured.
pub(in crate::bench) fn render(report: &Value) -> String {
    let mut out = String::new();
    // Writing into a String has no way to fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Value) -> std::fmt::Result {
    let machine = &report["machine"];
    writeln!(
        out,
        "Machine: {}, {} cores, Linux {}; load before: {}, after: {}\n\
         Command: {} ({} build; {} rounds, turns of {} s)\n\
         Kubernetes {} of tests/cluster; pods of {} bytes, created, never scheduled, deleted",
        text(&machine["cpu"]),
        machine["cores"],
        text(&machine["kernel"]),
        text(&machine["loadBefore"]),
        text(&report["loadAfter"]),
        text(&report["command"]),
        text(&report["build"]),
        report["rounds"],
        report["seconds"],
        text(&report["kubernetes"]),
        report["podBytes"],
    )?;
    for (is_busy, clients) in [(false, "1 client".to_owned()), (true, several(report))] {
        writeln!(
            out,
            "\n| creation of a pod, {clients} | p50, ms | added (rounds) | p99, ms | added | p50 to CEL's | calls | webhook CPU, us | creates |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|"
        )?;
        let rows = report["rows"].as_array().into_iter().flatten();
        for row in rows.filter(|row| row["busy"] == is_busy) {
            line(out, row)?;
        }
    }
    goal(out, &report["goal"])
}

fn several(report: &Value) -> String {
    format!("{} clients at once", report["clients"])
}

fn line(out: &mut String, row: &Value) -> std::fmt::Result {
    let rounds = row["addedP50MicrosByRound"].as_array();
    let end = |value: Option<&Value>| value.map_or(0.0, millis);
    let (least, most) = (
        end(rounds.and_then(|rounds| rounds.first())),
        end(rounds.and_then(|rounds| rounds.last())),
    );
    let cpu = row["webhookCpuMicros"].as_f64();
    writeln!(
        out,
        "| {} | {:.2} | {:.2} ({least:.2} to {most:.2}) | {:.2} | {:.2} | {:.2} | {:.1} | {} | {} |",
        text(&row["name"]),
        millis(&row["p50Micros"]),
        millis(&row["addedP50Micros"]),
        millis(&row["p99Micros"]),
        millis(&row["addedP99Micros"]),
        row["p50ToCel"].as_f64().unwrap_or_default(),
        row["callsPerCreate"].as_f64().unwrap_or_default(),
        cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.0}")),
        row["creates"],
    )
}

fn goal(out: &mut String, goal: &Value) -> std::fmt::Result {
    writeln!(
        out,
        "\nGoal {}: `starter` adds {:.2} ms at the median ({:.1} allowed) and {:.2} ms at p99 ({:.1} allowed), 1 client",
        if goal["met"] == true { "met" } else { "missed" },
        millis(&goal["addedP50Micros"]),
        millis(&goal["mostAddedP50Micros"]),
        millis(&goal["addedP99Micros"]),
        millis(&goal["mostAddedP99Micros"]),
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn millis(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default() / 1e3
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_row_and_the_goal_are_in_the_tables() {
        let row = |busy: bool| {
            json!({"name": "Portcullis, starter", "busy": busy, "creates": 900,
            "p50Micros": 4100.0, "p99Micros": 9000.0, "addedP50Micros": 1200.0,
            "addedP99Micros": 3000.0, "addedP50MicrosByRound": [1000.0, 1200.0, 1400.0],
            "p50ToCel": 1.3, "callsPerCreate": 2.0, "webhookCpuMicros": 300.0})
        };
        let text = render(&json!({
            "machine": {"cpu": "A CPU", "cores": 2, "kernel": "6.1", "loadBefore": "0.1"},
            "loadAfter": "1.9", "command": "cargo xtask bench --cluster", "build": "release",
            "seconds": 1.0, "rounds": 3, "clients": 4, "kubernetes": "v1.36.3", "podBytes": 1500,
            "rows": [row(false), row(true)],
            "goal": {"addedP50Micros": 1200.0, "mostAddedP50Micros": 1500.0,
                "addedP99Micros": 6000.0, "mostAddedP99Micros": 5000.0, "met": false},
        }));
        let row = "| Portcullis, starter | 4.10 | 1.20 (1.00 to 1.40) | 9.00 | 3.00 | 1.30 | 2.0 | 300 | 900 |";
        assert_eq!(text.matches(row).count(), 2, "{text}");
        for line in [
            "load before: 0.1, after: 1.9",
            "| creation of a pod, 1 client |",
            "| creation of a pod, 4 clients at once |",
            "Goal missed: `starter` adds 1.20 ms at the median (1.5 allowed) and 6.00 ms at p99 (5.0 allowed)",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
