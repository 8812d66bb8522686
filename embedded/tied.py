"""Become another program that gets SIGTERM when its parent dies: python tied.py PARENT_PID COMMAND [ARGUMENT ...]."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>; survives exec


def main() -> None:
    """Ask the kernel for the signal, then exec; other systems than Linux have no such wish and only exec."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the kernel knew of the wish
        sys.exit(f"process {parent} is gone")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
