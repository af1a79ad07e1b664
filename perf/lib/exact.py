"""Figures that do not move with a machine's neighbours: instructions and allocations, by callgrind."""

import pathlib
import re
import socket
import subprocess
import sys
import tempfile

import house
import load
import translated

CLIENTS = 32
# Turns of all clients: after the first few, buffers and pools are as large as they get.
TURNS_BEFORE, TURNS = 10, 50
# Where Rust's allocator enters mimalloc.
ALLOCATES = re.compile(r"mi_(malloc|zalloc|calloc|realloc|heap_malloc|heap_realloc)\w*")


def counted(work, vendor, scenario, keep=None, turns=TURNS, binary=None):
    """Instructions and allocations a request of the core's thread, in so many turns of all clients."""
    out = pathlib.Path(keep or tempfile.mkdtemp(dir=work)) / scenario
    under = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
    under += ["--instr-atstart=no"]
    has_policy = scenario == load.WITH_POLICY
    accounts = translated.ACCOUNTS if scenario in load.TRANSLATED else None
    more = {"binary": binary, "has_policy": has_policy, "accounts": accounts}
    child, base = house.start_weir(work, vendor, "epoll", load.MODELS, under, **more)
    clients = connect(base)
    take_turns(clients, scenario, TURNS_BEFORE)
    subprocess.run(["callgrind_control", "-i", "on", str(child.pid)], check=True, capture_output=True)
    take_turns(clients, scenario, turns)
    for client in clients:
        client.close()
    house.stop(child)
    threads = [file for file in out.parent.glob(out.name + "-*") if "data_plane::exchange" in file.read_text()]
    if len(threads) != 1:
        sys.exit(f"not one thread of {out} has served")
    return [number / turns / CLIENTS for number in tally(threads[0])]


def instructions(work, options):
    _, vendor = house.start_vendor(work)
    for scenario in options.scenario_exact.split(","):
        total, allocations = counted(work, vendor, scenario, options.keep)
        events = load.EXACT[scenario][4]
        print(f"{scenario:16} {total:10.0f} instructions {allocations:7.2f} allocations a request", end="")
        print(f"  {total / events:8.0f} {allocations / events:6.3f} an event" if events > 1 else "", flush=True)


def connect(base):
    host, port = base.removeprefix("http://").split(":")
    return [socket.create_connection((host, int(port))) for _ in range(CLIENTS)]


def take_turns(clients, scenario, turns):
    """All send, then all are answered; so many times."""
    request, is_stream = load.request_of(scenario), load.EXACT[scenario][2]
    for _ in range(turns):
        for client in clients:
            client.sendall(request)
        for client in clients:
            load.answer(client, is_stream)


def calls_in_step(work, vendor, turns=50):
    """System calls a chat-1k request of the core's thread on epoll: of so many turns more, so that neither
    the start is counted nor what other threads do by the clock."""
    child, base = house.start_weir(work, vendor, "epoll", load.MODELS)
    clients = connect(base)
    take_turns(clients, "chat-1k", TURNS_BEFORE)
    total = load.traced(child, lambda: take_turns(clients, "chat-1k", turns), "core-0")
    for client in clients:
        client.close()
    house.stop(child)
    return total / turns / CLIENTS


def tally(file):
    """Instructions, and calls of the allocator from outside of it, in one file of callgrind's."""
    names, instructions, allocations, caller, callee = {}, 0, 0, "", ""
    for line in file.read_text(errors="replace").splitlines():
        if found := re.match(r"(c?fn)=(\(\d+\))(?: (.*))?", line):
            kind, number, name = found.groups()
            name = names.setdefault(number, name)
            caller, callee = (name, callee) if kind == "fn" else (caller, name)
        elif line.startswith("calls=") and ALLOCATES.match(callee) and not caller.startswith(("mi_", "_mi_")):
            allocations += int(line[6:].split()[0])
        elif line.startswith(("summary:", "totals:")):
            instructions = max(instructions, int(line.split()[1]))
    return instructions, allocations


def sizes():
    """What the unit test prints of futures and records, in bytes."""
    command = ["cargo", "test", "--quiet", "--locked", "--lib", "the_sizes_of_what_is_held", "--", "--nocapture"]
    said = subprocess.run(command, capture_output=True, text=True, cwd=house.ROOT)
    found = dict(re.findall(r"^size (\w+) (\d+)$", said.stdout, re.M))
    if said.returncode or not found:
        sys.exit(f"no sizes:\n{said.stdout}{said.stderr}")
    return {name: int(bytes) for name, bytes in found.items()}
