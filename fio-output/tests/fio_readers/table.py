"""Reads a table of ours, and says what it found in each line."""

import csv
import json

with open("table.csv", newline="") as file:
    for line in csv.DictReader(file, strict=True):
        assert None not in line and None not in line.values(), line
        moved, time = int(line["bytes"]), int(line["runtime_ms"])
        assert abs(int(line["bytes_per_second"]) * time - moved * 1000) <= time
        assert abs(float(line["iops"]) * time - int(line["ios"]) * 1000) <= time
        assert int(line["p50_ns"]) <= float(line["max_ns"]) >= float(line["mean_ns"])
        figures = [line[name] for name in ("direction", "ios", "p50_ns", "p99_ns", "max_ns")]
        print(*figures, json.dumps(line["job"]), json.dumps(line["label"]))
