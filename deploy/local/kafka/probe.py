"""Is the broker there? Asked with a metadata request, the first thing that every client sends."""

from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from deploy.local.ports import LOOPBACK, accepts_connections


async def known_brokers(port: int, options: dict[str, Any]) -> int:
    """How many brokers the one on this port knows and lists as alive; 0 when it does not answer.

    `options` are aiokafka's own for security.
    """
    if not accepts_connections(port):  # asked first, because aiokafka logs every refused connection
        return 0
    client = AIOKafkaClient(bootstrap_servers=f"{LOOPBACK}:{port}", request_timeout_ms=5_000, **options)
    try:
        await client.bootstrap()
        return len(client.cluster.brokers())
    except (KafkaError, OSError, TimeoutError):
        return 0
    finally:
        await client.close()
