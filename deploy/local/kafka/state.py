"""`kafka.json`: what makes a cluster the same one after a restart, and lets another program find it."""

import base64
import json
import secrets
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.errors import LocalStackError
from deploy.local.kafka.config import ADMIN, ClusterConfig, NodeConfig, Sasl
from deploy.local.kafka.tls import Authority
from deploy.local.paths import write_private
from deploy.local.ports import free_port
from deploy.local.process import Process

_FILE = "kafka.json"
_TLS = "tls"


def new_uuid() -> str:
    """A Kafka id: a random UUID in URL-safe base64 without padding; Kafka refuses a leading dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text


def new_config(data_dir: Path, brokers: int, users: Mapping[str, str] | None, tls: bool) -> ClusterConfig:
    """A cluster that does not exist yet, on ports that are free now. `users` asks for SASL."""
    sasl = None
    if users is not None:
        passwords = {ADMIN: secrets.token_urlsafe(24), **users}
        sasl = Sasl(users=passwords, internal_password=secrets.token_urlsafe(24))
    nodes = [
        NodeConfig(
            number=number,
            folder=data_dir / f"node-{number}",
            directory_id=new_uuid(),
            client_port=free_port(),
            controller_port=free_port(),
            internal_port=free_port(),
        )
        for number in range(1, brokers + 1)
    ]
    authority = Authority.open(data_dir / _TLS) if tls else None
    return ClusterConfig(cluster_id=new_uuid(), nodes=nodes, sasl=sasl, tls=authority)


def save(data_dir: Path, config: ClusterConfig, processes: Mapping[int, Process]) -> None:
    """Write the cluster's state; only this account may read it, as it may hold passwords."""
    state: dict[str, Any] = {
        "cluster_id": config.cluster_id,
        "retention_check_ms": config.retention_check_ms,
        "settings": dict(config.settings),
        "sasl": None,
        "tls": config.tls is not None,
        "nodes": [
            {
                "number": node.number,
                "directory_id": node.directory_id,
                "ports": node.ports,
                "pid": processes[node.number].pid if node.number in processes else None,
                "started": processes[node.number].identity.started if node.number in processes else None,
            }
            for node in config.nodes
        ],
    }
    if config.sasl is not None:
        state["sasl"] = {"users": dict(config.sasl.users), "internal_password": config.sasl.internal_password}
    write_private(data_dir / _FILE, json.dumps(state, indent=2))


def exists(data_dir: Path) -> bool:
    """Whether a cluster's state is here."""
    return (data_dir / _FILE).is_file()


def load(data_dir: Path) -> tuple[ClusterConfig, dict[int, Process]]:
    """Read the cluster's state, and its processes of whatever program started them (they may be gone)."""
    try:
        state = json.loads((data_dir / _FILE).read_text())
    except FileNotFoundError:
        raise LocalStackError(f"there is no Kafka cluster in {data_dir}") from None
    nodes, processes = [], {}
    for entry in state["nodes"]:
        client, controller, internal = entry["ports"]
        number = entry["number"]
        folder = data_dir / f"node-{number}"
        node = NodeConfig(number, folder, entry["directory_id"], client, controller, internal)
        nodes.append(node)
        if entry["pid"] is not None:
            processes[number] = Process.attach(
                f"kafka-{number}", entry["pid"], entry["started"], node.log_file
            )
    sasl = Sasl(**state["sasl"]) if state["sasl"] else None
    config = ClusterConfig(
        cluster_id=state["cluster_id"],
        nodes=nodes,
        sasl=sasl,
        tls=Authority.open(data_dir / _TLS) if state.get("tls") else None,
        retention_check_ms=state["retention_check_ms"],
        settings=state["settings"],
    )
    return config, processes
