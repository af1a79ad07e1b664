"""A client of OpenAI's language on vendors of other languages: what it costs beside one of its own."""

import statistics

import house
import load
import ratio

# The scripted vendor once more, in Anthropic's language and in Google's.
ACCOUNTS = {"WEIR_CLAUDE_MODELS": "plain events100-burst", "WEIR_GEMINI_MODELS": "plain events100-burst"}
# Scenarios that are compared with the first of each.
WHOLE = ["chat-1k", "anthropic-1k", "gemini-1k"]
STREAMED = ["sse-one-write", "anthropic-sse", "gemini-sse"]
BAR_RATIO, BAR_DELTA_US = 1.15, 0.6


def requests(work, options):
    _, vendor = house.start_vendor(work)
    for driver in ["epoll", "io-uring"]:
        name = f"weir-{driver}"
        if name not in options.only.split(","):
            continue
        child, base = house.start_weir(work, vendor, driver, load.MODELS, accounts=ACCOUNTS)
        for scenarios in [WHOLE, STREAMED]:
            report(name, scenarios, measured(options, child, base, name, scenarios))
        house.stop(child)


def measured(options, child, base, name, scenarios):
    """CPU and user µs a request of each round, by scenario."""

    def measure(scenario):
        before, user_before = house.cpu_ns(child.pid), house.user_ns(child.pid)
        done = load.wrk(base, name, scenario, options.seconds)
        after, user_after = house.cpu_ns(child.pid), house.user_ns(child.pid)
        return (after - before) / done / 1000, (user_after - user_before) / done / 1000

    for scenario in scenarios:
        load.wrk(base, name, scenario, 1)
    return ratio.interleaved(options, scenarios, measure)


def report(name, scenarios, costs):
    print(f"{name}: CPU µs a request, median (quartiles); ratio to {scenarios[0]} of the same round")
    for scenario in scenarios:
        cpu, user = zip(*costs[scenario])
        line = "  {:14} {:8.2f} ({:.2f}-{:.2f})".format(scenario, *ratio.quartiles(cpu))
        if scenario != scenarios[0]:
            ratios = [ours / own for (ours, _), (own, _) in zip(costs[scenario], costs[scenarios[0]])]
            line += "  ratio {:.2f} ({:.2f}-{:.2f})".format(*ratio.quartiles(ratios))
            line += f" of {BAR_RATIO}"
        events = load.EXACT[scenario][4]
        if events > 1:
            line += f"  user {statistics.median(user) / events:.3f} µs a delta of {BAR_DELTA_US}"
        print(line, flush=True)
