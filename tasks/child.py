"""Processes that a run starts, and that must not outlive it: their stdin ends with the run."""

import os
import sys
import threading


def end_with_parent() -> None:
    """Ends this process once the other end of stdin is closed, however the parent ended."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
