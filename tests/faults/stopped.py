"""The nightly command, stopped at a step until it is killed or let go.

Usage: python -m tests.faults.stopped STEP [ARGUMENT ...]

Prints `STOPPED` once the step is reached, and goes on when a line comes on stdin.
"""

import sys

from tasks.command import main
from tests.faults.steps import STEPS, many_chunks, once, strike

STOPPED = "STOPPED"


def stop() -> None:
    print(STOPPED, flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    step, *arguments = sys.argv[1:]
    from flows.daily import daily

    many_chunks()
    strike(STEPS[step], once(stop))
    sys.exit(main(daily, arguments))
