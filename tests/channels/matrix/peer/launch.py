"""Runs Synapse under the interpreter of its own environment, and lets it end when the test run is gone.

    .peers/synapse/bin/python launch.py -c homeserver.json

Imports nothing of this project: the other environment does not know it.
"""

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Ask the kernel for SIGTERM at the parent's death (a killed test run leaves no server), then be Synapse."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the test run ended before the server began")
    runpy.run_module("synapse.app.homeserver", run_name="__main__", alter_sys=True)


main()
