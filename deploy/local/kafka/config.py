"""What the brokers are told: one server.properties for each node of the cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.ports import LOOPBACK

MECHANISM = "SCRAM-SHA-256"
ADMIN = "admin"  # the super user of a cluster with SASL
_PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclass(frozen=True, slots=True)
class Sasl:
    """Who may log in: passwords by user. `internal_password` is between the brokers themselves."""

    users: Mapping[str, str]
    internal_password: str


@dataclass(slots=True)
class NodeConfig:
    """What tells one node from the others."""

    number: int
    folder: Path
    directory_id: str
    client_port: int
    controller_port: int
    internal_port: int

    @property
    def properties_file(self) -> Path:
        return self.folder / "server.properties"

    @property
    def log_file(self) -> Path:
        return self.folder / "broker.log"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def ports(self) -> tuple[int, int, int]:
        return self.client_port, self.controller_port, self.internal_port


@dataclass(slots=True)
class ClusterConfig:
    """What all nodes share; it outlives a restart in `kafka.json`."""

    cluster_id: str
    nodes: Sequence[NodeConfig]
    sasl: Sasl | None = None
    retention_check_ms: int = 10_000
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(f"{LOOPBACK}:{node.client_port}" for node in self.nodes)

    def listening_ports(self, node: NodeConfig) -> list[int]:
        """The ports that the node binds; one of the three is for a cluster with SASL only."""
        ports = [node.client_port, node.controller_port]
        return [*ports, node.internal_port] if self.sasl else ports

    def initial_controllers(self) -> str:
        """The first voters, as the format tool wants them."""
        return ",".join(f"{n.number}@{LOOPBACK}:{n.controller_port}:{n.directory_id}" for n in self.nodes)

    def properties(self, node: NodeConfig) -> str:
        """The text of the node's server.properties."""
        values = self._common() | self._listeners(node) | (self._security() if self.sasl else {})
        values |= {"node.id": str(node.number), "log.dirs": str(node.data), **self.settings}
        return "".join(f"{name}={value}\n" for name, value in values.items())

    def _common(self) -> dict[str, str]:
        replicas = min(3, len(self.nodes))
        majority = replicas // 2 + 1
        controllers = ",".join(f"{LOOPBACK}:{node.controller_port}" for node in self.nodes)
        return {
            "process.roles": "broker,controller",
            "controller.quorum.bootstrap.servers": controllers,
            "auto.create.topics.enable": "false",
            # The default makes every new group wait 3 s for members who might join yet.
            "group.initial.rebalance.delay.ms": "0",
            "default.replication.factor": str(replicas),
            "min.insync.replicas": str(majority),
            # Internal topics: the defaults (50 partitions, 3 replicas) are for a large cluster.
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": str(replicas),
            "transaction.state.log.num.partitions": "2",
            "transaction.state.log.replication.factor": str(replicas),
            "transaction.state.log.min.isr": str(majority),
            "share.coordinator.state.topic.num.partitions": "2",
            "share.coordinator.state.topic.replication.factor": str(replicas),
            "share.coordinator.state.topic.min.isr": str(majority),
            # High, so that each topic's own max.message.bytes is what rules.
            "message.max.bytes": str(10 * 1024 * 1024),
            "replica.fetch.max.bytes": str(11 * 1024 * 1024),
            "log.retention.check.interval.ms": str(self.retention_check_ms),
            "log.cleaner.backoff.ms": "1000",
            "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
            # A broker that was killed may register again only when its last session has expired. With one
            # node nobody could take over meanwhile, so the default of 9 s would only be a wait.
            "broker.session.timeout.ms": "3000" if replicas == 1 else "9000",
            "broker.heartbeat.interval.ms": "500" if replicas == 1 else "2000",
            "num.network.threads": "2",
            "num.io.threads": "4",
        }

    def _listeners(self, node: NodeConfig) -> dict[str, str]:
        client = f"CLIENT://{LOOPBACK}:{node.client_port}"
        controller = f"CONTROLLER://{LOOPBACK}:{node.controller_port}"
        internal = f"INTERNAL://{LOOPBACK}:{node.internal_port}"
        brokers = f"{client},{internal}" if self.sasl else client
        protocol = "SASL_PLAINTEXT" if self.sasl else "PLAINTEXT"
        return {
            "listeners": f"{brokers},{controller}",
            "advertised.listeners": f"{brokers},{controller}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "INTERNAL" if self.sasl else "CLIENT",
            "listener.security.protocol.map": f"CLIENT:{protocol},INTERNAL:{protocol},CONTROLLER:{protocol}",
        }

    def _security(self) -> dict[str, str]:
        """Clients log in by SCRAM. Nodes use PLAIN among themselves: the quorum that stores SCRAM
        credentials must come up before they can be read."""
        assert self.sasl is not None
        password = self.sasl.internal_password
        plain = f'{_PLAIN_LOGIN} required username="{ADMIN}" password="{password}" user_{ADMIN}="{password}";'
        return {
            "sasl.enabled.mechanisms": f"{MECHANISM},PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.client.sasl.enabled.mechanisms": MECHANISM,
            f"listener.name.client.{MECHANISM.lower()}.sasl.jaas.config": f"{_SCRAM_LOGIN} required;",
            "listener.name.internal.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.internal.plain.sasl.jaas.config": plain,
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controller.plain.sasl.jaas.config": plain,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{ADMIN}",
        }
