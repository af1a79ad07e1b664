"""The load: scenarios, and those who send them."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile

import house
import policy

# name: model, request bytes, streamed, connections, events in an answer
SCENARIOS = {
    "chat-1k": ("plain", 1024, False, 32, 1),
    "chat-16k": ("plain", 16 * 1024, False, 32, 1),
    "chat-256k": ("plain", 256 * 1024, False, 16, 1),
    "sse-one-write": ("events100-burst", 1024, True, 32, 100),
    "sse-write-each": ("events100", 1024, True, 32, 100),
}
# The same as chat-1k, asked of a gateway with 50 routing rules, 50 limits and 20 budgets (policy.py).
WITH_POLICY = "policy-1k"
# That request of a gateway without rules: what is between the two is what the rules add.
WITH_METADATA = "metadata-1k"
# The same asked of vendors of other languages, each an account of its own (translated.py).
TRANSLATED = {
    "anthropic-1k": SCENARIOS["chat-1k"],
    "anthropic-sse": SCENARIOS["sse-one-write"],
    "gemini-1k": SCENARIOS["chat-1k"],
    "gemini-sse": SCENARIOS["sse-one-write"],
}
ACCOUNTS = {"anthropic": "claude/", "gemini": "goog/"}
# What is counted exactly; beside nginx, which has no policy and translates nothing, it stands in steps of its own.
EXACT = SCENARIOS | {name: SCENARIOS["chat-1k"] for name in [WITH_POLICY, WITH_METADATA]} | TRANSLATED
# Those of loadtest/scenarios, too.
MODELS = sorted({model for model, *_ in SCENARIOS.values()} | {"paced250x50", "paced32x1"})
# How a client of either proxy names a model.
PREFIX = {"nginx": "", "direct": ""}


def prefix(name, scenario=""):
    return PREFIX[name] if name in PREFIX else ACCOUNTS.get(scenario.partition("-")[0], "test/")


def wrk(base, name, scenario, seconds):
    """Requests done in a closed loop; every one must have been answered with 2xx."""
    model, size, streams, connections, _ = EXACT[scenario]
    environment = os.environ | {
        "PERF_MODEL": prefix(name, scenario) + model, "PERF_BYTES": str(size), "PERF_STREAM": "1" if streams else "0",
        "PERF_METADATA": json.dumps(policy.METADATA) if scenario in (WITH_POLICY, WITH_METADATA) else "",
    }  # fmt: skip
    command = ["taskset", "-c", str(house.AROUND), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += ["-s", str(house.ROOT / "perf/chat.lua"), base + "/v1/chat/completions"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"{base} {scenario}:\n{said}")
    return int(re.search(r"(\d+) requests in", said)[1])


def loadtest(base, name, scenario, *flags, vendor=None):
    """What the open-loop client found. Its complaints are in `bottlenecks`."""
    path = house.ROOT / f"loadtest/scenarios/{scenario}.yaml"
    command = ["taskset", "-c", house.AROUND, house.BINARIES / "loadtest", path, "--json", "--target", base]
    command += ["--key", house.KEY, "--model-prefix", prefix(name), *flags]
    if vendor:
        command += ["--vendor-pid", vendor]
    command = list(map(str, command))
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=house.raise_descriptors)
    if done.returncode not in (0, 1, 3):
        sys.exit(f"{' '.join(command)}:\n{done.stderr}")
    return json.loads(done.stdout)


def request_of(scenario, before=None):
    """The bytes that wrk sends by chat.lua; `before` stands before the model's name."""
    model, size, streams, *_ = EXACT[scenario]
    before = prefix("", scenario) if before is None else before
    stream = ',"stream":true,"stream_options":{"include_usage":true}' if streams else ""
    head = f'{{"model":"{before}{model}"{stream},"messages":[{{"role":"user","content":"'
    text = "The river runs and the weir holds. " * (size // 35 + 1)
    body = (head + text[: size - len(head) - 4] + '"}]}').encode()
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: 127.0.0.1:8080", "Content-Type: application/json"]
    lines += [f"Authorization: Bearer {house.KEY}", f"Content-Length: {len(body)}"]
    if scenario in (WITH_POLICY, WITH_METADATA):
        lines.append(f"x-tfy-metadata: {json.dumps(policy.METADATA)}")
    lines += ["", ""]
    return "\r\n".join(lines).encode() + body


def answer(client, is_stream):
    """Read one answer to its end; it must be a 200."""
    read = b""
    while True:
        more = client.recv(1 << 16)
        if not more:
            sys.exit("closed after: " + read.decode(errors="replace"))
        read += more
        head, blank, body = read.partition(b"\r\n\r\n")
        if is_stream and read.endswith(b"0\r\n\r\n"):
            break
        length = re.search(rb"\r\ncontent-length: (\d+)", head, re.I)
        if blank and length and len(body) >= int(length[1]):
            break
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(read.decode(errors="replace"))


def traced(child, work, thread=None):
    """System calls of a process, or of its thread of this name, while `work` is done."""
    with tempfile.NamedTemporaryFile("r") as counted:
        command = ["strace", "-c", *([] if thread else ["-f"]), "-o", counted.name]
        for pid in [house.thread_of(child.pid, thread)] if thread else house.family(child.pid):
            command += ["-p", str(pid)]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        house.started.append(tracer)
        tracer.stderr.readline()  # "Process … attached"
        work()
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)
        total = re.search(r"^100\.00\s+\S+\s+(?:\d+\s+)?(\d+)(?:\s+\d+)?\s+total$", counted.read(), re.M)
    return int(total[1])


def syscalls(child, base, name, seconds=3):
    """System calls a chat-1k request under a closed loop."""
    requests = []
    total = traced(child, lambda: requests.append(wrk(base, name, "chat-1k", seconds)))
    return total / requests[0]
