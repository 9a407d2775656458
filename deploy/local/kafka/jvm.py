"""How the broker's Java is called, and what makes it start in half the time.

The first broker that ends in good order leaves an archive of its loaded classes beside the jars (class data
sharing, 50 MB); later ones read it. Measured: started after 1.5 s instead of 3.1 s, with 2.9 s instead of
4.6 s of processor time. An archive that does not fit the Java that reads it is ignored by Java itself.

Java compiles once and does not optimise what it has compiled: for the minutes that such a broker lives, that took
more of a small machine's cores than it ever gave back (ADR 23: half of the broker's processor time).
"""

import hashlib
import os
import shutil
from pathlib import Path

from deploy.local.kafka.config import NodeConfig
from deploy.local.kafka.jars import LOGGING


class Jvm:
    """The Java program with the broker's jars."""

    def __init__(self, program: str, jars: Path) -> None:
        self._program = program
        self._jars = jars
        real = Path(program).resolve()
        fingerprint = hashlib.sha256(f"{real} {real.stat().st_mtime_ns}".encode()).hexdigest()[:8]
        self._archive = jars.with_name(f"{jars.name}-{fingerprint}.jsa")

    def broker(self, node: NodeConfig, heap_mb: int) -> list[str]:
        """The command that runs a node."""
        sharing = []
        made = _made_by(node)
        made.unlink(missing_ok=True)
        if self._archive.is_file():
            sharing = [f"-XX:SharedArchiveFile={self._archive}"]
        elif node.number == 1:
            sharing = [f"-XX:ArchiveClassesAtExit={made}"]  # takes Java some 3 s more to end
        options = [f"-Xmx{heap_mb}m", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError", *sharing]
        return [*self._command(node, options), "kafka.Kafka", str(node.properties_file)]

    def storage_tool(self, node: NodeConfig) -> list[str]:
        """The command that prepares a node's storage; arguments follow."""
        options = ["-Xmx128m", "-XX:TieredStopAtLevel=1"]  # it runs for a second: do not optimise it
        if self._archive.is_file():
            options.append(f"-XX:SharedArchiveFile={self._archive}")
        return [*self._command(node, options), "kafka.tools.StorageTool", "format"]

    def keep_archive(self, node: NodeConfig) -> None:
        """Call when a node has ended in good order: if it made an archive, later starts shall have it."""
        made = _made_by(node)
        cache_is_ours = os.access(self._archive.parent, os.W_OK)
        if made.is_file() and cache_is_ours and not self._archive.exists():
            scratch = self._archive.with_name(f".{self._archive.name}.{os.getpid()}")
            shutil.copyfile(made, scratch)
            scratch.replace(self._archive)
        made.unlink(missing_ok=True)

    def _command(self, node: NodeConfig, options: list[str]) -> list[str]:
        return [
            self._program,
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={node.folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={LOGGING}",
            *options,
            "-cp",
            f"{self._jars}{os.sep}*",
        ]


def _made_by(node: NodeConfig) -> Path:
    return node.folder / "tmp" / "classes.jsa"
