"""Memory without what files back: of a process at rest, and of each idle connection."""

import socket
import time

import house
import load
import ratio

CONNECTIONS = 1000


def rest(work, options):
    _, vendor = house.start_vendor(work)
    print(f"resident memory not backed by files; {CONNECTIONS} keep-alive connections, idle after a request each")
    for name, (child, base) in ratio.proxies(work, vendor, options).items():
        at_start = house.own_memory_kib(child.pid)
        host, port = base.removeprefix("http://").split(":")
        request = load.request_of("chat-1k", load.prefix(name))
        clients = []
        # A first one, so that what the first request of all needs is not counted for each.
        ask(host, int(port), request, clients)
        before = house.own_memory_kib(child.pid)
        for _ in range(CONNECTIONS):
            ask(host, int(port), request, clients)
        settle(child.pid)
        each = (house.own_memory_kib(child.pid) - before) / CONNECTIONS
        print(f"  {name:14} {at_start / 1024:6.1f} MiB at rest  {each:6.1f} KiB a connection", flush=True)
        for client in clients:
            client.close()


def ask(host, port, request, clients):
    client = socket.create_connection((host, port))
    client.sendall(request)
    load.answer(client, False)
    clients.append(client)


def settle(pid):
    """Waits until the process does nothing any more, five seconds at most."""
    for _ in range(50):
        before = house.cpu_ns(pid)
        time.sleep(0.1)
        if house.cpu_ns(pid) - before < 1_000_000:
            return
