"""A real Kafka cluster in KRaft mode: one to three nodes, each broker and controller in one `java` process.

Measured on a two-core machine: one node answers 4 s after its first start began (with an archive of classes,
see `jvm`, after 2.5 s), and takes about 350 MB.
"""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Self

from deploy.local.errors import LocalStackError, PortInUse, StartFailed
from deploy.local.kafka import state
from deploy.local.kafka.acl import Allow, create_rules
from deploy.local.kafka.config import ADMIN, MECHANISMS, ClusterConfig, NodeConfig
from deploy.local.kafka.jars import java, kafka_jars, kafka_version
from deploy.local.kafka.jvm import Jvm
from deploy.local.kafka.probe import known_brokers
from deploy.local.kafka.tls import Authority, Certificate
from deploy.local.paths import absolute, write_private
from deploy.local.ports import is_free
from deploy.local.process import Process
from deploy.local.tasks import all_of

__all__ = ["Kafka"]

READY_SECONDS = 90.0
STOP_SECONDS = 30.0
_FORMAT_SECONDS = 180  # 1 s on a machine that has nothing else to do
_ATTEMPTS = 3  # with new ports each time, when another program took one between choosing and binding
_BIND_FAILED = ("Address already in use", "BindException")


class Kafka:
    """A running cluster. Nodes are numbered from 1; methods that take `node` mean all nodes without it."""

    def __init__(
        self,
        data_dir: Path,
        config: ClusterConfig,
        *,
        jars: Path,
        jvm: Jvm,
        heap_mb: int | None = None,
        detached: bool,
        processes: dict[int, Process] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._config = config
        self._jars = jars
        self._jvm = jvm
        self._heap_mb = heap_mb or (512 if len(config.nodes) == 1 else 384)
        self._detached = detached
        self._processes = processes or {}

    @classmethod
    async def start(
        cls,
        data_dir: Path,
        *,
        brokers: int = 1,
        sasl: bool = False,
        tls: bool = False,
        users: Mapping[str, str] | None = None,
        retention_check_ms: int = 10_000,
        settings: Mapping[str, str] | None = None,
        heap_mb: int | None = None,
        detached: bool = False,
        ready_seconds: float = READY_SECONDS,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Start a cluster, made at the first start and the same one (id, ports, data) at every later one.

        `sasl` asks for logins by password (SCRAM); `users` are passwords by user besides the super user
        "admin". `tls` asks for encryption, and without `sasl` for logins by certificate. With logins
        everything is denied that no rule allows. `settings` go into server.properties as they are. `heap_mb` is each
        node's heap. A detached cluster outlives this program.

        Raises MissingProgram, PortInUse, or StartFailed with the tail of the broker's log.
        """
        if brokers not in (1, 3):
            raise ValueError("a cluster has one broker or three")
        data_dir = absolute(data_dir)
        jars = await kafka_jars(progress)
        jvm = Jvm(await java(), jars)
        existing = state.exists(data_dir)
        for attempt in range(1, _ATTEMPTS + 1):
            if existing:
                config, earlier = state.load(data_dir)
                _refuse_if_running(data_dir, earlier)
                _refuse_if_different(data_dir, config, brokers, sasl, tls)
            else:
                config = state.new_config(data_dir, brokers, dict(users or {}) if sasl else None, tls)
            config.retention_check_ms = retention_check_ms
            config.settings = dict(settings or {})
            kafka = cls(data_dir, config, jars=jars, jvm=jvm, heap_mb=heap_mb, detached=detached)
            progress(f"starting Kafka {kafka.version} ({brokers} broker{'s' * (brokers > 1)})")
            try:
                await kafka._bring_up(ready_seconds)
            except PortInUse:
                await kafka.kill()
                if existing or attempt == _ATTEMPTS:
                    raise
                for node in config.nodes:
                    shutil.rmtree(node.folder, ignore_errors=True)
            except BaseException:
                await kafka.kill()
                raise
            else:
                return kafka
        raise AssertionError("unreachable")

    @classmethod
    async def attach(cls, data_dir: Path) -> Self:
        """The cluster that another program started (or left) in this folder."""
        data_dir = absolute(data_dir)
        config, processes = state.load(data_dir)
        jars = await kafka_jars()
        jvm = Jvm(await java(), jars)
        return cls(data_dir, config, jars=jars, jvm=jvm, detached=True, processes=processes)

    @property
    def version(self) -> str:
        """The version of the Kafka that runs, such as 4.4.0."""
        return kafka_version(self._jars)

    @property
    def cluster_id(self) -> str:
        return self._config.cluster_id

    @property
    def bootstrap_servers(self) -> str:
        return self._config.bootstrap_servers

    @property
    def brokers(self) -> int:
        return len(self._config.nodes)

    @property
    def running(self) -> bool:
        """Whether every node's process is alive (a frozen one is)."""
        return all(
            n.number in self._processes and self._processes[n.number].running for n in self._config.nodes
        )

    def process(self, node: int = 1) -> Process:
        """The process of one node."""
        return self._processes[node]

    def log_path(self, node: int = 1) -> Path:
        """Where one node logs."""
        return self._config.nodes[node - 1].log_file

    def client_options(self, user: str = ADMIN) -> dict[str, Any]:
        """What an aiokafka client needs to connect as this user: bootstrap servers and security."""
        return {"bootstrap_servers": self.bootstrap_servers, **self._config.security_options(user)}

    @property
    def security_protocol(self) -> str:
        """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
        return self._config.protocol

    @property
    def ca_file(self) -> Path:
        """What a client must trust; only for a cluster with TLS."""
        return self._authority.ca_file

    def certificate(self, user: str = ADMIN) -> Certificate:
        """The certificate by which a user logs in; only for a cluster with TLS."""
        return self._authority.certificate(user)

    @property
    def _authority(self) -> Authority:
        if self._config.tls is None:
            raise LocalStackError("this Kafka cluster has no certificates: start it with tls=True")
        return self._config.tls

    def password(self, user: str = ADMIN) -> str:
        """The SCRAM password of a user; only for a cluster with SASL."""
        return self._config.password(user)

    async def allow(self, *rules: Allow) -> None:
        """Add access rules; only for a cluster with logins, where everything else is denied."""
        await create_rules(rules, self.client_options(ADMIN))

    async def stop(self) -> None:
        """Stop all nodes gracefully, by force after 30 s; data stay. Stopping twice does nothing."""
        await asyncio.gather(*(self._stop_node(number) for number in self._processes))

    async def kill(self, node: int | None = None) -> None:
        """SIGKILL, as when a machine loses power (but for the page cache)."""
        await asyncio.gather(*(process.kill() for process in self._selected(node)))

    def pause(self, node: int | None = None) -> None:
        """Freeze: connections stay open, nothing answers."""
        for process in self._selected(node):
            process.pause()

    def resume(self, node: int | None = None) -> None:
        """Thaw what `pause` froze."""
        for process in self._selected(node):
            process.resume()

    async def restart(self, node: int | None = None, *, ready_seconds: float = READY_SECONDS) -> None:
        """Bring nodes back on the same ports and data; those still running are stopped gracefully first."""
        numbers = [*self._processes] if node is None else [node]
        await asyncio.gather(*(self._stop_node(number) for number in numbers))
        await self._bring_up(ready_seconds, only=node)

    async def _stop_node(self, number: int) -> None:
        process = self._processes[number]
        if not process.running:
            return
        process.resume()
        process.send_signal(signal.SIGTERM)
        try:
            await process.wait(STOP_SECONDS)
        except TimeoutError:
            await process.kill()
        else:
            self._jvm.keep_archive(self._config.nodes[number - 1])

    def _selected(self, node: int | None) -> list[Process]:
        if node is None:
            return list(self._processes.values())
        return [self._processes[node]]

    async def _bring_up(self, seconds: float, only: int | None = None) -> None:
        nodes = [node for node in self._config.nodes if only in (None, node.number)]
        taken = [p for node in nodes for p in self._config.listening_ports(node) if not is_free(p)]
        if taken:
            raise PortInUse(f"Kafka cannot listen on port {taken[0]}: another program does")
        await all_of(*(self._format(node) for node in nodes))
        for node in nodes:
            self._processes[node.number] = Process.spawn(
                f"kafka-{node.number}",
                self._jvm.broker(node, self._heap_mb),
                log_path=node.log_file,
                detached=self._detached,
            )
        state.save(self.data_dir, self._config, self._processes)
        # A node that returns alone need not find the others; a whole start waits until all know each other.
        expected = self.brokers if only is None else 1
        await all_of(*(self._wait_until_ready(node, expected, seconds) for node in nodes))

    async def _wait_until_ready(self, node: NodeConfig, expected: int, seconds: float) -> None:
        options = self._config.security_options(ADMIN)

        async def answers() -> bool:
            return await known_brokers(node.client_port, options) >= expected

        try:
            await self._processes[node.number].until(
                answers, what="answer to a metadata request", seconds=seconds
            )
        except StartFailed as error:
            if any(sign in str(error) for sign in _BIND_FAILED):
                raise PortInUse(str(error)) from None
            raise

    async def _format(self, node: NodeConfig) -> None:
        """Write the configuration, and prepare the node's storage if it has none yet."""
        (node.folder / "tmp").mkdir(parents=True, exist_ok=True)
        write_private(node.properties_file, self._config.properties(node))
        done_marker = node.folder / "formatted"
        if done_marker.exists():
            return
        shutil.rmtree(node.data, ignore_errors=True)  # a format that was interrupted
        command = [
            *self._jvm.storage_tool(node),
            *("--config", str(node.properties_file), "--cluster-id", self._config.cluster_id),
            *("--initial-controllers", self._config.initial_controllers()),
        ]
        if self._config.sasl is not None:
            for mechanism, (user, password) in product(MECHANISMS, self._config.sasl.users.items()):
                command += ["--add-scram", f"{mechanism}=[name={user},password={password}]"]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_FORMAT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise StartFailed(f"Kafka's storage could not be prepared: {(done.stdout + done.stderr)[-1500:]}")
        done_marker.touch()


def _refuse_if_running(data_dir: Path, processes: Mapping[int, Process]) -> None:
    alive = [process.pid for process in processes.values() if process.running]
    if alive:
        raise LocalStackError(f"Kafka already runs in {data_dir} (pid {alive[0]}): stop that one first")


def _refuse_if_different(data_dir: Path, config: ClusterConfig, brokers: int, sasl: bool, tls: bool) -> None:
    if (len(config.nodes), config.sasl is not None, config.tls is not None) != (brokers, sasl, tls):
        made_as = f"{len(config.nodes)} broker(s) with {config.protocol}"
        raise LocalStackError(f"the Kafka cluster in {data_dir} was made as {made_as}: delete the folder")
