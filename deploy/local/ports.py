"""Free TCP ports on the loopback interface.

Ports are drawn from *below* the kernel's ephemeral range. A server here is killed and restarted on the same
port; were that port ephemeral, a client that keeps reconnecting while the server is down could be given the
very same number as its own source port, connect to itself, and keep the server from coming back.
"""

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"

_LOWEST = 15_000
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_handed_out: set[int] = set()


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now (a port in TIME_WAIT counts as free, as servers do)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port on which nothing listens, never the same one twice in this process.

    Another program may still take it before the server binds, so whoever starts a server tries again with
    another port when binding fails.
    """
    highest = _first_ephemeral_port() - 1
    for _ in range(1_000):
        port = random.randint(_LOWEST, highest)
        if port not in _handed_out and is_free(port):
            _handed_out.add(port)
            return port
    raise OSError(f"no free TCP port between {_LOWEST} and {highest} on {LOOPBACK}")


def accepts_connections(port: int) -> bool:
    """Whether something listens on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _first_ephemeral_port() -> int:
    try:
        first = int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = 32_768
    # Some machines widen the range down to 1024; then nothing lies below it and any port has to do.
    return first if first > _LOWEST + 1_000 else 60_000
