"""Kills what a dead flow left running. Run as a script of the standard library alone, so it starts in 20 ms.

The flow writes one line per process group to its stdin: `+PGID` when it
starts, `-PGID` when it has ended. When the flow dies, by kill -9 too, the
pipe closes and what is left is killed: no training goes on writing into a
folder that the next run is about to use.
"""

import os
import signal
import sys


def main() -> None:
    """Read group ids until the pipe closes; kill the groups that have not ended."""
    alive: set[int] = set()
    for line in sys.stdin:
        (alive.add if line[0] == "+" else alive.discard)(int(line[1:]))
    for group in alive:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
