"""What the open-loop client measures: time added, paced streams, very many streams, overload."""

import resource
import statistics
import sys

import house
import load
import ratio

PEAK_SECONDS = 5
# Who has as much of its core as what is overloaded.
RIVALS = 4


def complain(name, found):
    for said in found["bottlenecks"]:
        print(f"  {name}: NOT ITS FIGURES: {said}", flush=True)
    if found["failed"]:
        print(f"  {name}: {found['failed']} of {found['due']} failed: {found['errors']}", flush=True)


def latency(work, options):
    """Time added at 500 requests a second: that through a proxy less that of the vendor alone, round by round."""
    vendor_child, vendor = house.start_vendor(work)
    found = {"direct": (vendor_child, vendor)} | ratio.proxies(work, vendor, options)
    costs = {"client": [], "vendor": []}

    def measure(name):
        said = load.loadtest(found[name][1], name, "steady-500", vendor=vendor_child.pid)
        complain(name, said)
        for who, spent in costs.items():
            spent.append(1000 * said[f"{who}_permille"] / max(said["per_second"], 1))
        return said["latency_us"]

    rounds = ratio.interleaved(options, found, measure)
    print("µs added at 500 requests a second, median (quartiles)")
    for name in rounds:
        line = f"  {name:14}"
        for part in ["p50", "p99"]:
            added = [mine[part] - (0 if name == "direct" else alone[part])
                     for mine, alone in zip(rounds[name], rounds["direct"])]  # fmt: skip
            line += "  {} {:6.0f} ({:.0f}-{:.0f})".format(part, *ratio.quartiles(added))
        print(line, flush=True)
    for who, spent in costs.items():
        print(f"  the {who} itself: {statistics.median(spent):.0f} CPU µs a request", flush=True)


def paced(work, options):
    """CPU an event where each event is a packet: 300 streams, one event every 20 ms."""
    vendor_child, vendor = house.start_vendor(work)
    found = ratio.proxies(work, vendor, options)

    def measure(name):
        child, base = found[name]
        before = house.cpu_ns(child.pid)
        said = load.loadtest(base, name, "paced", vendor=vendor_child.pid)
        complain(name, said)
        return (house.cpu_ns(child.pid) - before) / max(said["events"], 1) / 1000

    options.rounds = min(options.rounds, 3)
    ratio.report("paced streams", ratio.interleaved(options, found, measure), "CPU µs an event")


def streams(work, options):
    """Ten thousand streams of an event a second on one core, or as many as the descriptors allow."""
    vendor_child, vendor = house.start_vendor(work)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(10_000, (hard - 200) // 2 // 100 * 100)
    more = ["--pool-max", 20_000, "--receipts-ring", "64MiB"]
    for driver in ["epoll", "io-uring"]:
        name = f"weir-{driver}"
        if name not in options.only.split(","):
            continue
        child, base = house.start_weir(work, vendor, driver, load.MODELS, more=more)
        before = house.cpu_ns(child.pid)
        said = load.loadtest(base, name, "streams-10k", "--rate", count // 10, vendor=vendor_child.pid)
        cpu = (house.cpu_ns(child.pid) - before) / 1000 / max(said["events"], 1)
        print(f"  {name}: {said['ok']} of {count} streams whole, {said['events']} events, "
              f"{36 * count - said['events']} lost; {cpu:.1f} CPU µs an event; "
              f"p99 between events {said['gap_us']['p99'] / 1000:.0f} ms", flush=True)  # fmt: skip
        complain(name, said)
        house.stop(child)


def overload(work, options):
    """Three times what it can do: does it still do what it could, and is it itself again within a second?

    Others want its core, too: else the one core around it could not ask three times as much of it.
    """
    vendor_child, vendor = house.start_vendor(work)
    for index in range(RIVALS):
        house.start(house.UNDER_TEST, [sys.executable, "-c", "while True: pass"], work / f"rival-{index}.out")
    for driver in ["epoll", "io-uring"]:
        name = f"weir-{driver}"
        if name not in options.only.split(","):
            continue
        child, base = house.start_weir(work, vendor, driver, load.MODELS)
        load.wrk(base, name, "chat-1k", 1)
        peak = load.wrk(base, name, "chat-1k", PEAK_SECONDS) / PEAK_SECONDS
        said = load.loadtest(base, name, "overload", "--rate", int(3 * peak), vendor=vendor_child.pid)
        after = load.loadtest(base, name, "steady-500", "--seconds", 3)
        memory = house.own_memory_kib(child.pid) / 1024
        goodput = said["per_second"]
        by_second = statistics.median(said["ok_by_second"][1:6] or [0])
        print(f"  {name}: peak {peak:.0f}/s; at three times that {goodput}/s ({100 * goodput / peak:.0f} %, "
              f"median second {by_second:.0f}); then at 500/s p99 {after['latency_us']['p99']} µs, "
              f"{after['failed']} failed; {memory:.0f} MiB", flush=True)  # fmt: skip
        kinds = {kind: count for kind, count in said["errors"].items() if kind != "unsent"}
        print(f"  {name}: refused or failed under overload: {kinds or 'none'}", flush=True)
        complain(name, {**said, "failed": 0})
        house.stop(child)
