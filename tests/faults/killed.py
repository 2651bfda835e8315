"""A command that is killed as by kill -9, at a pass of a step.

Usage: python -m tests.faults.killed FLOW STEP PASS [ARGUMENT ...]; the first pass is 0.
"""

import os
import signal
import sys
from importlib import import_module
from itertools import count

from tests.faults.steps import STEPS, many_chunks, strike


def main() -> None:
    name, step, passes, *arguments = sys.argv[1:]
    passed = count()

    def kill() -> None:
        if next(passed) == int(passes):
            os.kill(os.getpid(), signal.SIGKILL)

    module = import_module(f"flows.{name}")
    many_chunks()
    strike(STEPS[step], kill)
    sys.exit(module.main(getattr(module, name), arguments))


if __name__ == "__main__":
    main()
