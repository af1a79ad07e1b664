"""CPU a request beside nginx, in interleaved rounds."""

import statistics

import house
import load

PROXIES = ["nginx", "weir-epoll", "weir-io-uring"]


def quartiles(values):
    if len(values) < 3:
        return statistics.median(values), min(values), max(values)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def proxies(work, vendor, options, conf="nginx.conf", more=(), has_policy=False):
    """The proxies that are asked for, each with its process and its base URL."""
    wanted, found = options.only.split(","), {}
    if "nginx" in wanted:
        found["nginx"] = house.start_nginx(work, vendor, conf)
    for driver in ["epoll", "io-uring"]:
        if f"weir-{driver}" in wanted:
            started = house.start_weir(work, vendor, driver, load.MODELS, more=more, has_policy=has_policy)
            found[f"weir-{driver}"] = started
    return found


def interleaved(options, names, measure):
    """`measure` of each name in each round; each round in another order, so that none always follows the same."""
    found = {name: [] for name in names}
    for turn in range(options.rounds):
        order = list(names)
        for name in order[turn % len(order) :] + order[: turn % len(order)]:
            found[name].append(measure(name))
    return found


def report(title, costs, unit="CPU µs a request", parts=1):
    print(f"{title}: {unit}, median (quartiles); ratio to nginx of the same round")
    for name, values in costs.items():
        line = "  {:14} {:8.2f} ({:.2f}-{:.2f})".format(name, *quartiles(values))
        if parts > 1:
            line += f"  {statistics.median(values) / parts:.3f} an event"
        if name != "nginx" and "nginx" in costs:
            ratios = [ours / theirs for ours, theirs in zip(values, costs["nginx"])]
            line += "  ratio {:.2f} ({:.2f}-{:.2f})".format(*quartiles(ratios))
        print(line, flush=True)


def closed_loop(options, found, scenario):
    def measure(name):
        child, base = found[name]
        before = house.cpu_ns(child.pid)
        requests = load.wrk(base, name, scenario, options.seconds)
        return (house.cpu_ns(child.pid) - before) / requests / 1000

    for name, (_, base) in found.items():
        load.wrk(base, name, scenario, 1)
    return interleaved(options, found, measure)


def cpu(work, options):
    child, vendor = house.start_vendor(work)
    found = proxies(work, vendor, options)
    for scenario in options.scenario.split(","):
        before = house.cpu_ns(child.pid)
        costs = closed_loop(options, found, scenario)
        report(scenario, costs, parts=load.SCENARIOS[scenario][4])
        # Rounds are of one length: what it spent is told by a round's part of a core.
        share = (house.cpu_ns(child.pid) - before) / 1e9 / (options.rounds * len(found) * options.seconds + len(found))
        print(f"  the vendor used {100 * share:.0f} % of a core meanwhile", flush=True)


def ruled(work, options):
    """The gateway obeys 50 routing rules, 50 limits and 20 budgets; nginx has none."""
    _, vendor = house.start_vendor(work)
    found = proxies(work, vendor, options, has_policy=True)
    report(load.WITH_POLICY, closed_loop(options, found, load.WITH_POLICY))


def tls(work, options):
    """TLS on both sides; the vendor is nginx, which is quicker at it than the scripted one would be."""
    house.certify(work)
    _, vendor = house.start_nginx(work, "", "vendor-tls.conf", house.AROUND)
    more = ["--tls-cert", work / "cert.pem", "--tls-key", work / "key.pem"]
    found = proxies(work, vendor, options, "nginx-tls.conf", more)
    for scenario in options.scenario.split(","):
        if not load.SCENARIOS[scenario][2]:
            report(f"{scenario}, TLS on both sides", closed_loop(options, found, scenario))


def syscalls(work, options):
    _, vendor = house.start_vendor(work)
    print("system calls a request (chat-1k, strace -c)")
    for name, (child, base) in proxies(work, vendor, options).items():
        print(f"  {name:14} {load.syscalls(child, base, name):8.2f}", flush=True)
