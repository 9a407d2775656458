"""What runs in the solver's process beside the engine. Standard library only, so that it starts fast and
stays small: neither it nor the engine brings the rest of the service along."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """End as soon as the parent does. One that was killed says no goodbye, and the pipe from it never
    closes, because this process itself holds its other end."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
