"""HTTP/2 without TLS, on the client's side: CPU a request beside nginx."""

import re
import subprocess

import house
import load
import ratio

CONNECTIONS, STREAMS = 8, 16
REQUESTS = 60_000


def requests(work, options):
    body = load.request_of("chat-1k").partition(b"\r\n\r\n")[2]
    (work / "weir.json").write_bytes(body)
    (work / "nginx.json").write_bytes(body.replace(b"test/plain", b"plain"))
    _, vendor = house.start_vendor(work)
    found = ratio.proxies(work, vendor, options, "nginx-h2.conf")
    for name in list(found):
        if h2load(found[name][1], work, name, 1, 1, 1) != 1:
            print(f"  {name}: skipped, for it does not speak HTTP/2 without TLS")
            del found[name]

    def measure(name):
        child, base = found[name]
        before = house.cpu_ns(child.pid)
        done = h2load(base, work, name, REQUESTS, CONNECTIONS, STREAMS)
        return (house.cpu_ns(child.pid) - before) / max(done, 1) / 1000

    if found:
        options.rounds = min(options.rounds, 3)
        ratio.report(f"h2, {CONNECTIONS} connections of {STREAMS} streams", ratio.interleaved(options, found, measure))


def h2load(base, work, name, requests, connections, streams):
    """How many were answered with 2xx."""
    body = work / ("nginx.json" if name == "nginx" else "weir.json")
    command = ["taskset", "-c", str(house.AROUND), "h2load", "-n", str(requests), "-c", str(connections)]
    command += ["-m", str(streams), "-d", str(body), "-H", "content-type: application/json"]
    command += ["-H", f"authorization: Bearer {house.KEY}", base + "/v1/chat/completions"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    found = re.search(r"status codes: (\d+) 2xx", said)
    return int(found[1]) if found else 0
