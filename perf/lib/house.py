"""The house around a measurement: builds, starts and ends what is measured, the vendor and the baseline."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import policy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROFILE = os.environ.get("PERF_PROFILE", "dist")
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARIES = TARGET / ("debug" if PROFILE == "dev" else PROFILE)
PACKAGES = {"nginx": "nginx-light", "wrk": "wrk", "strace": "strace", "valgrind": "valgrind",
            "h2load": "nghttp2-client", "openssl": "openssl"}  # fmt: skip
KEY = "key-of-the-owner"
# The core of what is measured, and the core of all that loads it.
UNDER_TEST, AROUND = 0, 1
# Ten thousand streams are as many descriptors on either side of a proxy.
DESCRIPTORS = 65536
started = []


def need_packages(*commands):
    missing = [PACKAGES[command] for command in commands if not shutil.which(command)]
    if missing:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        subprocess.run(install, check=True, env=environment)


def cargo_build(profile, *what):
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--profile", profile, *what], check=True, cwd=ROOT)


def build():
    """The gateway, the vendor and the client, all of one profile: neither may be slower than need be."""
    packages = ["-p", "weir", "-p", "weir-loadtest"]
    cargo_build(PROFILE, *packages, "--bin", "weir", "--bin", "vendor", "--bin", "loadtest")


def start(core, arguments, log):
    with open(log, "wb") as out:
        command = ["taskset", "-c", str(core), *map(str, arguments)]
        child = subprocess.Popen(command, stdout=out, stderr=out, preexec_fn=raise_descriptors)
    started.append(child)
    return child


def raise_descriptors():
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    except (ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def stop(child):
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def stop_all():
    for child in reversed(started):
        stop(child)


def announced(prefix, log, child):
    end = time.monotonic() + 60
    while time.monotonic() < end and child.poll() is None:
        found = re.search(f"^{re.escape(prefix)}(\\S+)", log.read_text(), re.M)
        if found:
            return found[1]
        time.sleep(0.02)
    sys.exit(f"no line {prefix!r} in {log}:\n{log.read_text()}")


def listening(port, child, log):
    end = time.monotonic() + 10
    while time.monotonic() < end and child.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"nothing listens on {port}:\n{log.read_text()}")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_vendor(work, binary=None):
    """The scripted vendor; its process and its base URL."""
    child = start(AROUND, [binary or BINARIES / "vendor", "--load", 1024], work / "vendor.out")
    return child, announced("vendor: listening on ", work / "vendor.out", child)


def start_nginx(work, vendor, conf="nginx.conf", core=UNDER_TEST):
    """nginx by a configuration of this folder; its process and its base URL."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="nginx", dir=work))
    port = free_port()
    text = (ROOT / "perf" / conf).read_text()
    authority = vendor.split("://")[-1]
    for name, value in {"PORT": port, "VENDOR": authority, "WORK": home, "CERTS": work}.items():
        text = text.replace(f"@{name}@", str(value))
    (home / "nginx.conf").write_text(text)
    child = start(core, ["nginx", "-p", home, "-c", home / "nginx.conf"], home / "nginx.out")
    listening(port, child, home / "nginx.out")
    return child, f"{'https' if 'ssl;' in text else 'http'}://127.0.0.1:{port}"


def start_weir(work, vendor, driver, models, under=(), more=(), binary=None, has_policy=False, accounts=None):
    """A gateway of one core with its own manifests, and `accounts` as tests/clients/manifests is told of
    more; its process and its base URL."""
    home = pathlib.Path(tempfile.mkdtemp(prefix=driver, dir=work))
    (home / "manifests").mkdir()
    subprocess.run([ROOT / "tests/clients/manifests", home / "manifests", vendor + "/v1", *models],
                   check=True, env=os.environ | (accounts or {}))  # fmt: skip
    if vendor.startswith("https"):
        trust(home / "manifests/account.yaml", work / "cert.pem")
    if has_policy:
        policy.write(home / "manifests", vendor)
    arguments = [*under, binary or BINARIES / "weir", "serve", "--config", home / "manifests", "--data-dir", home / "data"]
    arguments += ["--cores", 1, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--driver", driver]
    child = start(UNDER_TEST, [*arguments, *more], home / "weir.out")
    return child, announced("weir: listening on ", home / "weir.out", child)


def trust(account, certificate):
    """The account's targets are known by this certificate and no other."""
    lines = ["tls_settings:", "  reject_unauthorized: true", "  ca_cert: |"]
    lines += ["    " + line for line in certificate.read_text().splitlines()]
    with open(account, "a") as file:
        file.write("\n".join(lines) + "\n")


def certify(work):
    """A self-signed ECDSA certificate for 127.0.0.1, made here and now: cert.pem and key.pem."""
    (work / "openssl.cnf").write_text(
        "[req]\ndistinguished_name = name\nx509_extensions = plain\nprompt = no\n"
        "[name]\nCN = 127.0.0.1\n"
        "[plain]\nbasicConstraints = critical, CA:FALSE\nsubjectAltName = IP:127.0.0.1, DNS:localhost\n"
    )
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-config", work / "openssl.cnf", "-keyout", work / "key.pem", "-out", work / "cert.pem"]
    subprocess.run(command, check=True, capture_output=True)


def family(pid):
    """A process and its children."""
    pids = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


def thread_of(pid, name):
    """The id of a process's only thread of this name."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    [found] = [task.name for task in tasks if (task / "comm").read_text().strip() == name]
    return int(found)


def cpu_ns(pid):
    """Nanoseconds on a core, of this process and its children."""
    tasks = (task for one in family(pid) for task in pathlib.Path(f"/proc/{one}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def user_ns(pid):
    """What of it is not the kernel's; counted in ticks, so that only a long round tells."""
    tasks = (task for one in family(pid) for task in pathlib.Path(f"/proc/{one}/task").iterdir())
    ticks = sum(int((task / "stat").read_text().rpartition(")")[2].split()[11]) for task in tasks)
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def own_memory_kib(pid):
    """Resident memory without what is backed by files, of this process and its children."""
    total = 0
    for one in family(pid):
        status = pathlib.Path(f"/proc/{one}/status").read_text()
        for field in ["RssAnon", "RssShmem"]:
            total += int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M)[1])
    return total
