"""A Prefect server that ends with its parent. Run as a script, with a port; it uses the standard library.

The parent holds the other end of standard input. However the parent dies, the kernel closes it, and this
process, which reads there, ends itself: on any system, and without a process in between.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

STOP_SECONDS = 8.0


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    # A server that does not hear is no reason to stay.
    threading.Timer(STOP_SECONDS, os._exit, (1,)).start()


def _serve(port: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The folder of this script is no place to import from: its neighbours have names of their own.
    del sys.path[0]
    sys.argv = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    runpy.run_module("prefect", run_name="__main__")


if __name__ == "__main__":
    _serve(sys.argv[1])
