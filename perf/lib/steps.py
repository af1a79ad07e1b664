"""Every step of perf/run by its name."""

import exact
import h2
import loaded
import memory
import ratio
import routing
import translated

PROXIES = ratio.PROXIES
ALL = {
    "cpu": ratio.cpu,
    "tls": ratio.tls,
    "policy": ratio.ruled,
    "syscalls": ratio.syscalls,
    "instructions": exact.instructions,
    "latency": loaded.latency,
    "paced": loaded.paced,
    "h2": h2.requests,
    "memory": memory.rest,
    "routing": routing.prompt,
    "translated": translated.requests,
    "streams": loaded.streams,
    "overload": loaded.overload,
}
