"""What must hold in the Dockerfile beyond what a linter says."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.deploy.sources import SERVICES, Rule, is_pinned, is_secret_name

TOOLS: Final = "tools"


@dataclass(slots=True)
class Stage:
    """One FROM and the instructions after it."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Dockerfile:
    """The stages by name, and the arguments before the first of them."""

    arguments: dict[str, str]
    stages: dict[str, Stage]

    def chain(self, name: str) -> Iterator[tuple[str, str]]:
        """All instructions that make the image of a stage, those of its bases first."""
        stage = self.stages[name]
        if stage.base in self.stages:
            yield from self.chain(stage.base)
        yield from stage.instructions

    def last(self, name: str, instruction: str) -> str:
        """The argument that counts of an instruction of which the last one wins."""
        return next((text for kind, text in reversed([*self.chain(name)]) if kind == instruction), "")

    def environment(self, name: str) -> dict[str, str]:
        pairs = (re.findall(r"([A-Z_]+)=(\S+)", text) for kind, text in self.chain(name) if kind == "ENV")
        return {key: value for found in pairs for key, value in found}

    def copied(self, name: str) -> list[str]:
        """What the stages of this chain take from the build context."""
        sources: list[str] = []
        for kind, text in self.chain(name):
            words = [word for word in text.split() if not word.startswith("--")]
            if kind == "COPY" and "--from=" not in text:
                sources += words[:-1]
        return sources

    def built_in(self, name: str) -> list[str]:
        """The stages from which the image of this stage takes files."""
        return [
            found
            for kind, text in self.chain(name)
            if kind == "COPY"
            for found in re.findall(r"--from=(\S+)", text)
        ]


def parse(text: str) -> Dockerfile:
    """Enough of a parser for a file without heredocs."""
    without_comments = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", without_comments)
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    current: Stage | None = None
    for line in filter(str.strip, joined.splitlines()):
        kind, _, rest = line.strip().partition(" ")
        kind, rest = kind.upper(), rest.strip()
        if kind == "FROM":
            base, _, name = rest.partition(" AS ")
            base = re.sub(r"\$\{(\w+)\}", lambda match: arguments.get(match[1], ""), base)
            current = stages[name] = Stage(name, base)
        elif current is not None:
            current.instructions.append((kind, rest))
        elif kind == "ARG":
            key, _, value = rest.partition("=")
            arguments[key] = value
    return Dockerfile(arguments, stages)


def _targets(file: Dockerfile) -> list[str]:
    return [name for name in (*SERVICES, TOOLS) if name in file.stages]


def every_target_exists(file: Dockerfile) -> Iterator[str]:
    yield from (f"there is no target {name}" for name in (*SERVICES, TOOLS) if name not in file.stages)


def bases_are_pinned(file: Dockerfile) -> Iterator[str]:
    for stage in file.stages.values():
        if stage.base not in file.stages and not is_pinned(stage.base):
            yield f"{stage.name} begins with {stage.base}"


def nobody_is_root(file: Dockerfile) -> Iterator[str]:
    for name in _targets(file):
        if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", file.last(name, "USER")):
            yield f"{name} runs as {file.last(name, 'USER') or 'root'}"


def services_start_and_stop_as_agreed(file: Dockerfile) -> Iterator[str]:
    for name in set(SERVICES) & set(file.stages):
        if _exec_form(file.last(name, "ENTRYPOINT")) != ["python", "-m", f"services.{name}"]:
            yield f"{name} starts {file.last(name, 'ENTRYPOINT')}"
        if file.last(name, "STOPSIGNAL") != "SIGTERM":
            yield f"{name} is not stopped by SIGTERM"
        if "EXPOSE 8080" not in [f"{kind} {text}" for kind, text in file.chain(name)]:
            yield f"{name} does not say where it listens"
    for kind, text in (pair for stage in file.stages.values() for pair in stage.instructions):
        if kind in ("CMD", "ENTRYPOINT") and not _exec_form(text):
            yield f"{kind} {text} starts a shell, which keeps the signals to itself"


def _exec_form(text: str) -> Sequence[str]:
    try:
        words = json.loads(text)
    except ValueError:
        return []
    return words if isinstance(words, list) else []


def services_have_health(file: Dockerfile) -> Iterator[str]:
    for name in set(SERVICES) & set(file.stages):
        health = file.last(name, "HEALTHCHECK")
        command = _exec_form(health.partition(" CMD ")[2])
        if list(command[:2]) != ["python", "-c"] or "/health/live" not in health:
            yield f"{name} has no health check that needs only Python"
            continue
        compile(command[2], "HEALTHCHECK", "exec")


def images_hold_one_service(file: Dockerfile) -> Iterator[str]:
    for name in _targets(file):
        copied = [source for stage in file.built_in(name) for source in file.copied(stage)] + file.copied(
            name
        )
        services = {source for source in copied if source.startswith("services")}
        expected = set() if name == TOOLS else {"services/__init__.py", f"services/{name}/"}
        if services != expected:
            yield f"{name} holds {sorted(services)}"
        if "shared/" not in copied:
            yield f"{name} does not hold what the services share"
        requirements = [source for source in copied if source.startswith("requirements/")]
        if requirements != [f"requirements/{'cli' if name == TOOLS else name}.txt"]:
            yield f"{name} installs {requirements}"
        if {source for source in copied if source in (".", "./")}:
            yield f"{name} holds the whole build context"


def dependencies_are_installed_by_hash(file: Dockerfile) -> Iterator[str]:
    for stage in file.stages.values():
        for kind, text in stage.instructions:
            for command in (
                re.findall(r"pip (?:--python \S+ )?(?:install|wheel)[^&]*", text) if kind == "RUN" else []
            ):
                if "--require-hashes" not in command and "--no-deps" not in command:
                    yield f"{stage.name} installs what nobody pinned: {command}"
                if "PIP_NO_CACHE_DIR" not in file.environment(stage.name) and "--no-cache-dir" not in command:
                    yield f"{stage.name} keeps a cache"
            if kind == "RUN" and "apt-get install" in text and "/var/lib/apt/lists" not in text:
                yield f"{stage.name} keeps the package lists"


def images_are_fit_for_a_read_only_root(file: Dockerfile) -> Iterator[str]:
    for name in _targets(file):
        if file.environment(name).get("PYTHONDONTWRITEBYTECODE") != "1":
            yield f"{name} writes bytecode beside the code"
        if any(kind == "COPY" and "--chown" in text for kind, text in file.chain(name)):
            yield f"{name} owns its own code"


def no_secret_is_built_in(file: Dockerfile) -> Iterator[str]:
    for stage in file.stages.values():
        for kind, text in stage.instructions:
            if kind in ("ARG", "ENV") and any(map(is_secret_name, re.findall(r"[A-Za-z_]+(?==|$)", text))):
                yield f"{stage.name} holds a secret: {kind} {text}"
            if kind == "ADD":
                yield f"{stage.name} fetches or unpacks with ADD {text}"


RULES: Final[dict[str, Rule]] = {
    rule.__name__: rule
    for rule in (
        every_target_exists,
        bases_are_pinned,
        nobody_is_root,
        services_start_and_stop_as_agreed,
        services_have_health,
        images_hold_one_service,
        dependencies_are_installed_by_hash,
        images_are_fit_for_a_read_only_root,
        no_secret_is_built_in,
    )
}
