"""Where the broker's program comes from: Java, and jars that Maven copies once into the checkout's cache."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from deploy.local.errors import MissingProgram, StartFailed
from deploy.local.paths import cache_dir

POM = Path(__file__).with_name("pom.xml")
LOGGING = Path(__file__).with_name("log4j2.xml")

_DEBIAN_PACKAGES = {"java": "openjdk-17-jre-headless", "mvn": "maven"}
_INSTALL_SECONDS = 600
_DOWNLOAD_SECONDS = 600


async def kafka_jars(progress: Callable[[str], None] = lambda _: None) -> Path:
    """The folder with the broker's jars; downloaded on first use (about 45 MB).

    The folder's name holds a digest of the pom, so a new Kafka version never meets old jars. Two starters do
    not race: one downloads under a file lock, into a temporary folder that is renamed when complete.
    """
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    target = cache_dir() / "kafka" / digest
    if not target.is_dir():
        await asyncio.to_thread(_download_once, target, progress)
    return target


def kafka_version(jars: Path) -> str:
    """The version of the broker in this folder, by the name of its server jar."""
    names = [jar.stem.removeprefix("kafka-server-") for jar in jars.glob("kafka-server-[0-9]*.jar")]
    if len(names) != 1:
        raise StartFailed(
            f"{jars} holds {len(names)} Kafka servers instead of one: delete it and start again"
        )
    return names[0]


async def java() -> str:
    """The Java program. Raises MissingProgram."""
    home = os.environ.get("JAVA_HOME")
    if home and (program := Path(home, "bin", "java")).is_file():
        return str(program)
    return await asyncio.to_thread(find_program, "java")


def find_program(name: str) -> str:
    """The path of `java` or `mvn`, installed with apt-get if this is root on a Debian-like system.

    Raises MissingProgram, with what to install, where that is not possible.
    """
    found = shutil.which(name)
    if found:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", _DEBIAN_PACKAGES[name])
        found = shutil.which(name)
        if found:
            return found
    title = {"java": "Java 17 or newer", "mvn": "Apache Maven"}[name]
    raise MissingProgram(
        f"The embedded Kafka broker needs {title}, but there is no `{name}` on the PATH: "
        f"install {_DEBIAN_PACKAGES[name]} (Debian, Ubuntu) or your system's package for it."
    )


def _apt_get(*arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", "-qq", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise MissingProgram(f"`apt-get {' '.join(arguments)}` failed: {done.stderr.strip()[-500:]}")


def _download_once(target: Path, progress: Callable[[str], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():  # another starter was quicker
            return
        progress("downloading the Kafka broker")
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".download-"))
        try:
            _maven_copies_jars(scratch)
            kafka_version(scratch)
            scratch.chmod(0o755)
            scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _maven_copies_jars(folder: Path) -> None:
    find_program("java")
    maven = find_program("mvn")
    done = subprocess.run(
        [maven, "-q", "-B", "-f", str(POM), f"-DoutputDirectory={folder}", "dependency:copy-dependencies"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_DOWNLOAD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise StartFailed(
            f"Maven could not fetch the Kafka broker: {(done.stdout + done.stderr).strip()[-1500:]}"
        )
