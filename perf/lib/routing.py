"""What routing a prompt of 256 KiB costs: the benchmark of scan and splice."""

import re
import subprocess
import sys

import house

BAR_US = 40.0


def prompt(_work, _options):
    command = ["taskset", "-c", str(house.UNDER_TEST), "cargo", "bench", "--quiet", "--locked"]
    command += ["--profile", house.PROFILE, "-p", "weir-bench", "--bench", "json", "--", "route 256 KiB"]
    said = subprocess.run(command, capture_output=True, text=True, cwd=house.ROOT)
    found = re.search(r"time:\s+\[(\S+) (\S+) (\S+) (\S+)", said.stdout)
    if not found:
        sys.exit(said.stdout + said.stderr)
    value = float(found[3]) * {"ns": 0.001, "µs": 1.0, "ms": 1000.0}[found[4]]
    print(f"routing a prompt of 256 KiB: {value:.1f} µs of {BAR_US:.0f}", flush=True)
