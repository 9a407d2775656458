"""What the brokers are told: one server.properties for each node of the cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.helpers import create_ssl_context

from deploy.local.errors import LocalStackError
from deploy.local.kafka.tls import BROKER, Authority
from deploy.local.ports import LOOPBACK

MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")
MECHANISM = MECHANISMS[0]  # what the platform's own processes use here
ADMIN = "admin"  # the super user of a cluster with logins
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
    tls: Authority | None = None
    retention_check_ms: int = 10_000
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(f"{LOOPBACK}:{node.client_port}" for node in self.nodes)

    @property
    def logins(self) -> bool:
        """Whether Kafka knows who connects, by password or by certificate, and denies by default."""
        return self.sasl is not None or self.tls is not None

    @property
    def protocol(self) -> str:
        """What is spoken on all ports, in Kafka's word for it."""
        if self.sasl is None:
            return "PLAINTEXT" if self.tls is None else "SSL"
        return "SASL_PLAINTEXT" if self.tls is None else "SASL_SSL"

    def password(self, user: str) -> str:
        """The SCRAM password of a user. Raises LocalStackError without SASL."""
        if self.sasl is None:
            raise LocalStackError("this Kafka cluster has no passwords: start it with sasl=True")
        return self.sasl.users[user]

    def security_options(self, user: str) -> dict[str, Any]:
        """What aiokafka's clients are told to log in as this user."""
        options: dict[str, Any] = {"security_protocol": self.protocol} if self.logins else {}
        if self.tls is not None:
            options["ssl_context"] = create_ssl_context(cafile=str(self.tls.ca_file))
        if self.sasl is not None:
            options |= {
                "sasl_mechanism": MECHANISM,
                "sasl_plain_username": user,
                "sasl_plain_password": self.password(user),
            }
        elif self.tls is not None:
            own = self.tls.certificate(user)
            options["ssl_context"].load_cert_chain(own.cert_file, own.key_file)
        return options

    def listening_ports(self, node: NodeConfig) -> list[int]:
        """The ports that the node binds; one of the three is for a cluster with logins only."""
        ports = [node.client_port, node.controller_port]
        return [*ports, node.internal_port] if self.logins else ports

    def initial_controllers(self) -> str:
        """The first voters, as the format tool wants them."""
        return ",".join(f"{n.number}@{LOOPBACK}:{n.controller_port}:{n.directory_id}" for n in self.nodes)

    def properties(self, node: NodeConfig) -> str:
        """The text of the node's server.properties."""
        values = self._common() | self._listeners(node) | self._access() | self._passwords() | self._tls()
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
        brokers = f"{client},{internal}" if self.logins else client
        protocol = self.protocol
        return {
            "listeners": f"{brokers},{controller}",
            "advertised.listeners": f"{brokers},{controller}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "INTERNAL" if self.logins else "CLIENT",
            "listener.security.protocol.map": f"CLIENT:{protocol},INTERNAL:{protocol},CONTROLLER:{protocol}",
        }

    def _access(self) -> dict[str, str]:
        if not self.logins:
            return {}
        return {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{ADMIN};User:{BROKER}" if self.tls else f"User:{ADMIN}",
        }

    def _tls(self) -> dict[str, str]:
        """With passwords a client needs no certificate; without, its certificate says who it is."""
        if self.tls is None:
            return {}
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.tls.key_store()),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.tls.ca_file),
            "ssl.client.auth": "none" if self.sasl else "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+)$/$1/",
        }

    def _passwords(self) -> dict[str, str]:
        """Clients log in by SCRAM. Nodes use PLAIN among themselves: the quorum that stores SCRAM
        credentials must come up before they can be read."""
        if self.sasl is None:
            return {}
        scram = f"{_SCRAM_LOGIN} required;"
        password = self.sasl.internal_password
        plain = f'{_PLAIN_LOGIN} required username="{ADMIN}" password="{password}" user_{ADMIN}="{password}";'
        return {
            "sasl.enabled.mechanisms": ",".join((*MECHANISMS, "PLAIN")),
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.client.sasl.enabled.mechanisms": ",".join(MECHANISMS),
            **{f"listener.name.client.{m.lower()}.sasl.jaas.config": scram for m in MECHANISMS},
            "listener.name.internal.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.internal.plain.sasl.jaas.config": plain,
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controller.plain.sasl.jaas.config": plain,
        }
