"""Reads a report with pandas as people read fio's, and says what it found there."""

import json

import pandas

with open("plus.json") as file:
    plus = json.load(file)
with open("plain.json") as file:
    plain = json.load(file)

jobs = pandas.json_normalize(plus["jobs"])
assert pandas.to_datetime(plus["timestamp_ms"], unit="ms").year == 2023, plus["timestamp_ms"]
# Figures that belong together: the speed is what was moved, by the time.
for side in ("read", "write"):
    moved, time = jobs[f"{side}.io_bytes"], jobs[f"{side}.runtime"]
    assert (jobs[f"{side}.bw_bytes"] * time - moved * 1000).abs().max() <= time.max()
    assert (jobs[f"{side}.total_ios"] == jobs[f"{side}.clat_ns.N"]).all()

for number, job in enumerate(plus["jobs"]):
    # The bins are those that fio's converter found, and give the percentiles.
    table = pandas.read_csv(f"clat_job{number}.csv", skipinitialspace=True, index_col="nsec")
    bins = pandas.Series(job["read"]["clat_ns"]["bins"])
    bins.index = bins.index.astype(int)
    assert bins.index.is_monotonic_increasing
    assert (table["read_clat_ns_count"].dropna() == bins).all()
    share = bins.cumsum() / bins.sum() * 100
    for percent, latency in job["read"]["clat_ns"]["percentile"].items():
        assert (share >= float(percent) - 1e-9).idxmax() == latency, (percent, latency)
    assert "bins" not in plain["jobs"][number]["read"]["clat_ns"]
    print(
        job["jobname"],
        job["read"]["total_ios"],
        job["write"]["total_ios"],
        job["read"]["clat_ns"]["max"],
    )
