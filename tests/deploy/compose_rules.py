"""What must hold in docker-compose.yml beyond its schema."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.deploy.sources import SERVICES, Document, Rule, is_pinned, is_secret_name

COMPLETED: Final = "service_completed_successfully"
HEALTHY: Final = "service_healthy"

# What may differ between the services besides their name.
_ONLY_NOTIFICATIONS: Final = re.compile(r"MENTORING_(SMTP_.*|MAIL_FROM)")


def _containers(document: Document) -> Iterator[tuple[str, Document]]:
    yield from document["services"].items()


def _is_job(container: Document) -> bool:
    return container.get("restart") == "no"


def _interpolated(text: str) -> str:
    """The text with each ${NAME:-default} replaced by its default."""
    return re.sub(r"\$\{[^}:]+:-([^}]*)\}", r"\1", text)


def images_are_pinned(document: Document) -> Iterator[str]:
    for name, container in _containers(document):
        if not is_pinned(_interpolated(container.get("image", ""))):
            yield f"{name} uses {container.get('image')}"


def each_image_is_built_once(document: Document) -> Iterator[str]:
    built = Counter(container["image"] for _, container in _containers(document) if "build" in container)
    for name, container in _containers(document):
        if not container["image"].startswith("mentoring/"):
            continue
        if built[container["image"]] != 1:
            yield f"{container['image']} is built by {built[container['image']]} containers"
        if container.get("pull_policy") != ("build" if "build" in container else "never"):
            yield f"{name} may pull an image of the same name from elsewhere"


def long_running_have_health(document: Document) -> Iterator[str]:
    for name, container in _containers(document):
        health = container.get("healthcheck", {})
        if not _is_job(container) and (not health.get("test") or health.get("disable")):
            yield f"{name} has no health check"
        if name in SERVICES and "/health/ready" not in " ".join(health.get("test", [])):
            yield f"{name} is not asked whether it is ready"


def everything_has_limits(document: Document) -> Iterator[str]:
    for name, container in _containers(document):
        limits = container.get("deploy", {}).get("resources", {}).get("limits", {})
        for resource in {"cpus", "memory", "pids"} - set(limits):
            yield f"{name} has no limit of {resource}"


def nobody_is_root(document: Document) -> Iterator[str]:
    for name, container in _containers(document):
        if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", str(container.get("user", ""))):
            yield f"{name} runs as {container.get('user', 'whatever the image says')}"


def file_systems_are_read_only(document: Document) -> Iterator[str]:
    for name, container in _containers(document):
        if container.get("read_only") is not True:
            yield f"{name} may write to its image"
        if not any(str(mount).startswith("/tmp") for mount in container.get("tmpfs", [])):
            yield f"{name} has no /tmp"


def nobody_has_privileges(document: Document) -> Iterator[str]:
    for name, container in _containers(document):
        if container.get("cap_drop") != ["ALL"]:
            yield f"{name} keeps capabilities"
        if "no-new-privileges:true" not in container.get("security_opt", []):
            yield f"{name} may gain privileges"
        for key in {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "volumes_from"} & set(
            container
        ):
            yield f"{name} asks for {key}"
        if "docker.sock" in json.dumps(container.get("volumes", [])):
            yield f"{name} holds the engine's socket"


def secrets_are_files(document: Document) -> Iterator[str]:
    for name, secret in document.get("secrets", {}).items():
        if secret.get("file") != f"deploy/compose/secrets/{name}":
            yield f"the secret {name} is not a file of its name in deploy/compose/secrets"
    for name, container in _containers(document):
        for variable, value in container.get("environment", {}).items():
            if is_secret_name(variable):
                yield f"{name} has the secret {variable} in its environment"
            if re.search(r"://[^/@\s]+:[^/@\s]+@", str(value)):
                yield f"{name} has a login in {variable}"


def mounts_are_declared_and_used(document: Document) -> Iterator[str]:
    for kind in ("secrets", "configs"):
        used = {
            mount if isinstance(mount, str) else mount["source"]
            for _, container in _containers(document)
            for mount in container.get(kind, [])
        }
        declared = set(document.get(kind, {}))
        yield from (f"{name} is used and not declared" for name in used - declared)
        yield from (f"{name} is declared and not used" for name in declared - used)


def secrets_are_the_least_needed(document: Document) -> Iterator[str]:
    """A service holds its own working passwords, its migration the owner's, and nobody another's."""
    wanted = {
        **{
            name: [f"{name}_database_app_password", f"{name}_database_plumbing_password"] for name in SERVICES
        },
        **{f"migrate-{name}": [f"{name}_database_owner_password"] for name in SERVICES},
        "topics": [],
        "kafka": [],
        "mail": [],
        "postgres": ["postgres_admin_password"],
    }
    for name, expected in wanted.items():
        held = [
            mount if isinstance(mount, str) else mount["source"]
            for mount in document["services"][name].get("secrets", [])
        ]
        if held != expected:
            yield f"{name} holds {held}, not {expected}"


def ports_are_for_this_host_only(document: Document) -> Iterator[str]:
    published: Counter[str] = Counter()
    for name, container in _containers(document):
        for port in container.get("ports", []):
            published[_interpolated(str(port)).rpartition(":")[0]] += 1
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name} publishes {port} to every network of the host"
    yield from (f"{port} is published twice" for port, times in published.items() if times > 1)


def services_are_alike(document: Document) -> Iterator[str]:
    shapes = {name: _shape(name, document["services"].get(name)) for name in SERVICES}
    first = shapes[SERVICES[0]]
    yield from (f"{name} differs from {SERVICES[0]}" for name, shape in shapes.items() if shape != first)


def _shape(name: str, container: Mapping[str, Any] | None) -> str:
    if container is None:
        return "missing"
    environment = {
        key: value
        for key, value in container["environment"].items()
        if not _ONLY_NOTIFICATIONS.fullmatch(key)
    }
    # Sizes differ: matching computes. That everything has limits is another rule.
    alike = {key: value for key, value in container.items() if key != "deploy"}
    text = json.dumps({**alike, "environment": environment}, sort_keys=True)
    text = re.sub(r":-80\d\d\}:8080", ":-PORT}:8080", text)
    return text.replace(name.upper(), "SERVICE").replace(name, "service")


def jobs_run_before_the_services(document: Document) -> Iterator[str]:
    wanted = {
        "bootstrap": {"postgres": HEALTHY},
        "topics": {"kafka": HEALTHY},
        **{f"migrate-{name}": {"bootstrap": COMPLETED} for name in SERVICES},
        **{
            name: {"kafka": HEALTHY, "postgres": HEALTHY, "topics": COMPLETED, f"migrate-{name}": COMPLETED}
            for name in SERVICES
        },
    }
    for name, expected in wanted.items():
        container = document["services"].get(name)
        if container is None:
            yield f"{name} is missing"
            continue
        waits = {other: entry["condition"] for other, entry in container.get("depends_on", {}).items()}
        if waits != expected:
            yield f"{name} waits for {waits}, not for {expected}"
        if name not in SERVICES and not _is_job(container):
            yield f"{name} would be started again when it is done"


def services_may_finish_their_work(document: Document) -> Iterator[str]:
    for name in SERVICES:
        container = document["services"][name]
        grace = str(container.get("stop_grace_period", "10s"))
        needed = float(container["environment"]["MENTORING_SHUTDOWN_SECONDS"])
        if not grace.endswith("s") or float(grace[:-1]) < needed + 5:
            yield f"{name} is killed after {grace}, and may need {needed:.0f} s and a little"


def kafka_and_postgres_stay_inside(document: Document) -> Iterator[str]:
    if document["networks"].get("backend", {}).get("internal") is not True:
        yield "the backend network leads outside"
    for name in ("kafka", "postgres"):
        if document["services"][name].get("networks") != ["backend"] or document["services"][name].get(
            "ports"
        ):
            yield f"{name} can be reached from outside"


RULES: Final[dict[str, Rule]] = {
    rule.__name__: rule
    for rule in (
        images_are_pinned,
        each_image_is_built_once,
        long_running_have_health,
        everything_has_limits,
        nobody_is_root,
        file_systems_are_read_only,
        nobody_has_privileges,
        secrets_are_files,
        mounts_are_declared_and_used,
        secrets_are_the_least_needed,
        ports_are_for_this_host_only,
        services_are_alike,
        jobs_run_before_the_services,
        services_may_finish_their_work,
        kafka_and_postgres_stay_inside,
    )
}
