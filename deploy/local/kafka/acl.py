"""Access rules of a cluster with logins: deny by default, allow by prefix.

aiokafka has the protocol's message but no method for it, hence the numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from deploy.local.errors import LocalStackError

_RESOURCES = {"topic": 2, "group": 3}
_OPERATIONS = {"all": 2, "read": 3, "write": 4, "create": 5, "describe": 8}
_ALLOW = 3
_LITERAL, _PREFIXED = 3, 4


@dataclass(frozen=True, slots=True)
class Allow:
    """A user may do something with a topic or group, or with all whose names begin so (`prefix`)."""

    user: str
    operation: Literal["all", "read", "write", "create", "describe"]
    kind: Literal["topic", "group"]
    name: str
    prefix: bool = False


async def create_rules(rules: Iterable[Allow], client_options: dict[str, Any]) -> None:
    """Add access rules; one that exists already stays. Raises LocalStackError if the cluster refuses."""
    client = AIOKafkaAdminClient(**client_options)
    await client.start()
    try:
        for rule in rules:
            request = CreateAclsRequest(
                _RESOURCES[rule.kind],
                rule.name,
                _PREFIXED if rule.prefix else _LITERAL,
                f"User:{rule.user}",
                "*",
                _OPERATIONS[rule.operation],
                _ALLOW,
            )
            response = await client._send_to_controller(request)
            for code, message in response.creation_responses:
                if code != 0:
                    raise LocalStackError(f"Kafka refuses the rule {rule}: error {code}, {message}")
    finally:
        await client.close()
