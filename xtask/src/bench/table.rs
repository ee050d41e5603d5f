//! The report for people: Markdown, as it stands in docs/performance.md.

use std::fmt::Write;

use serde_json::Value;

/// Tables of everything that was measured.
pub(super) fn render(report: &Value) -> String {
    let mut out = String::new();
    // Writing into a String has no way to fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Value) -> std::fmt::Result {
    let (machine, text) = (&report["machine"], |value: &Value| {
        value.as_str().unwrap_or_default().to_owned()
    });
    writeln!(
        out,
        "Machine: {}, {} cores, Linux {}; load before: {}\nCommand: {} ({} build; {} rounds of {} s; {} connections)\n",
        text(&machine["cpu"]),
        machine["cores"],
        text(&machine["kernel"]),
        text(&machine["loadBefore"]),
        text(&report["command"]),
        text(&report["build"]),
        report["rounds"],
        report["seconds"],
        report["connections"],
    )?;
    requests(out, &report["requests"])?;
    writeln!(
        out,
        "\n| start of | cold cache, ms | warm cache, ms |\n|---|---:|---:|"
    )?;
    for row in rows(&report["start"]) {
        let (cold, warm) = (number(&row["coldMillis"]), number(&row["warmMillis"]));
        writeln!(
            out,
            "| {} | {cold:.0} | {warm:.0} |",
            text(&row["policies"])
        )?;
    }
    writeln!(
        out,
        "\n| part, alone on one thread | of | us |\n|---|---|---:|"
    )?;
    for row in rows(&report["parts"]) {
        let (part, payload) = (text(&row["part"]), text(&row["payload"]));
        writeln!(
            out,
            "| {part} | {payload} | {:.1} |",
            number(&row["micros"])
        )?;
    }
    writeln!(
        out,
        "\n| check, cores | objects | s | objects/s |\n|---|---:|---:|---:|"
    )?;
    for row in rows(&report["check"]) {
        let (seconds, rate) = (number(&row["seconds"]), number(&row["objectsPerSecond"]));
        writeln!(
            out,
            "| {} | {} | {seconds:.2} | {rate:.0} |",
            row["cores"], row["objects"]
        )?;
    }
    Ok(())
}

/// Each figure with its ratio to the no-op server's.
fn requests(out: &mut String, requests: &Value) -> std::fmt::Result {
    let mut payload = &Value::Null;
    for row in rows(requests) {
        if payload != &row["payload"] {
            payload = &row["payload"];
            let name = payload.as_str().unwrap_or_default();
            writeln!(
                out,
                "\n| {name}, {} bytes | CPU, us | requests/s | p50, us | p99, us | p99 busy, us | resident, MB |\n\
                 |---|---:|---:|---:|---:|---:|---:|",
                row["bytes"]
            )?;
        }
        let with_ratio = |name: &str, ratio: &str| {
            format!(
                "{:.0} ({:.2})",
                number(&row[name]),
                number(&row["toNoop"][ratio])
            )
        };
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {:.0} | {} |",
            row["server"].as_str().unwrap_or_default(),
            with_ratio("cpuMicros", "cpu"),
            with_ratio("requestsPerSecond", "requestsPerSecond"),
            with_ratio("p50Micros", "p50"),
            with_ratio("p99Micros", "p99"),
            number(&row["busyP99Micros"]),
            with_ratio("residentMegabytes", "resident"),
        )?;
    }
    Ok(())
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_part_of_the_report_is_in_the_tables() {
        let row = json!({"payload": "Pod", "bytes": 4700, "server": "1 policies",
            "cpuMicros": 30.4, "requestsPerSecond": 9000.0, "p50Micros": 70.0, "p99Micros": 90.0,
            "busyP99Micros": 800.0, "residentMegabytes": 30.0,
            "toNoop": {"cpu": 2.0, "requestsPerSecond": 0.5, "p50": 1.5, "p99": 1.6, "resident": 3.0}});
        let text = render(&json!({
            "machine": {"cpu": "A CPU", "cores": 2, "kernel": "6.1", "loadBefore": "0.1"},
            "command": "cargo xtask bench", "build": "release", "seconds": 2.0, "rounds": 3,
            "connections": 8, "requests": [row],
            "start": [{"policies": "16 policies", "coldMillis": 900.0, "warmMillis": 80.0}],
            "parts": [{"part": "decode", "payload": "Pod", "micros": 20.0}],
            "check": [{"cores": 1, "objects": 100, "seconds": 0.5, "objectsPerSecond": 200.0}],
        }));
        for line in [
            "Machine: A CPU, 2 cores, Linux 6.1",
            "| 1 policies | 30 (2.00) | 9000 (0.50) | 70 (1.50) | 90 (1.60) | 800 | 30 (3.00) |",
            "| 16 policies | 900 | 80 |",
            "| decode | Pod | 20.0 |",
            "| 1 | 100 | 0.50 | 200 |",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
