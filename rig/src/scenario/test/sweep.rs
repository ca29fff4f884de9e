//! dom0's tool sweeps a grid, is asked to end in the middle of its second cell, and goes on.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::check::{Check, number, value};
use super::tool::{ended, step, tool};
use crate::steps::Outcome;

/// Path at which the tool keeps the sweep.
const FILE: &str = "/tmp/sweep.json";

pub(super) fn checks() -> Vec<Check> {
    let job = "[job]\nrw=randread\nruntime=3\ntime_based\nnumjobs=2";
    let sweep = tool("sweep", &format!("--vary bs=4k,64k --vary iodepth=1,8 --output {FILE}"));
    let command = format!(
        "rm -f {FILE} /tmp/said\n\
         (tries=0\n\
         until sed -n '/run 2 of 4/,$p' /tmp/said | grep -q '^Jobs: ' || [ $tries -gt 600 ]; do\n\
         nap 0.1; tries=$((tries + 1)); done\n\
         kill -INT $(pidof ringmark)) 2>/dev/null &\n\
         {sweep} 2>/tmp/said\necho first=$?\nwait\ncat /tmp/said\n\
         echo kept=$(grep -o '\"at\":' {FILE} | wc -l)\n\
         {sweep} --resume\necho status=$?\n\
         ringmark report {FILE} -o /tmp/page.html\necho report=$?\n\
         echo cells=$(grep -o '<rect class=\"h[0-6]\"' /tmp/page.html | wc -l)\n\
         echo result=$(cat {FILE})"
    );
    let check = Check::new("the tool: a sweep", 240, step(job, &command))
        .judged("the tool: a sweep goes on where Ctrl-C ended it", |outcome| {
            let (first, kept) = (number(outcome, "first")?, number(outcome, "kept")?);
            ensure!(first == 3, "the first ended with status {first}, not 3");
            ensure!(kept == 1, "{kept} runs were kept, not 1");
            ended(outcome, 0)?;
            cells(outcome)
        })
        .judged("the tool: a page of heat maps of a sweep", |outcome| {
            let (status, cells) = (number(outcome, "report")?, number(outcome, "cells")?);
            ensure!(status == 0, "it ended with status {status}");
            // IOPS, bandwidth and latency.
            ensure!(cells == 12, "{cells} cells, not 4 in each of 3 maps");
            Ok(format!("{cells} cells in 3 maps"))
        });
    vec![check]
}

/// Checks that the file has each cell once, with two jobs that did something; returns their IOPS.
fn cells(outcome: &Outcome) -> Result<String> {
    let file: Value = serde_json::from_str(value(outcome, "result")?).context("no JSON")?;
    let runs = file["runs"].as_array().context("it has no runs")?;
    let places: Vec<&Value> = runs.iter().map(|run| &run["at"]).collect();
    let all = [["4k", "1"], ["4k", "8"], ["64k", "1"], ["64k", "8"]].map(|at| json!(at));
    ensure!(places == all.iter().collect::<Vec<_>>(), "cells {places:?}");
    ensure!(file["failed"] == json!([]), "failed: {}", file["failed"]);
    let iops = |run: &Value| {
        let jobs = run["result"]["jobs"].as_array().context("a run without jobs")?;
        ensure!(jobs.len() == 2, "{} jobs, not 2", jobs.len());
        let rates = jobs.iter().map(|job| job["read"]["iops"].as_f64().filter(|iops| *iops > 0.0));
        let rate = rates.sum::<Option<f64>>().context("a job that read nothing")?;
        Ok(format!("{rate:.0}"))
    };
    let iops = runs.iter().map(iops).collect::<Result<Vec<String>>>()?;
    Ok(format!("IOPS {}", iops.join(", ")))
}
