"""What must hold in the rendered Kubernetes objects beyond their schema."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.deploy.sources import SERVICES, Document, Rule, is_pinned, is_secret_name

Objects = Sequence[Document]

PROBES: Final = {
    "startupProbe": "/health/live",  # /health/startup also waits for Kafka, and readiness must not
    "livenessProbe": "/health/live",
    "readinessProbe": "/health/ready",
}
RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")


def of_kind(objects: Objects, kind: str) -> list[Document]:
    return [item for item in objects if item["kind"] == kind]


def name_of(item: Document) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def _workloads(objects: Objects) -> list[Document]:
    return [item for item in objects if item["kind"] in ("Deployment", "Job")]


def _pod(workload: Document) -> Document:
    spec: Document = workload["spec"]["template"]["spec"]
    return spec


def _containers(workload: Document) -> list[Document]:
    return [*_pod(workload)["containers"], *_pod(workload).get("initContainers", [])]


def _settings(objects: Objects) -> dict[str, str]:
    """The settings that all containers share."""
    found: dict[str, str] = {}
    for item in of_kind(objects, "ConfigMap"):
        if item["metadata"]["name"].startswith("mentoring-settings"):
            found |= item["data"]
    return found


def everything_is_there(objects: Objects) -> Iterator[str]:
    names = {name_of(item) for item in objects}
    wanted = {"Job/topics", "Namespace/mentoring", "NetworkPolicy/mentoring"}
    for service in SERVICES:
        wanted |= {
            f"{kind}/{service}" for kind in ("Deployment", "Service", "PodDisruptionBudget", "ServiceAccount")
        }
        wanted.add(f"Job/{service}-migrate")
    yield from (f"{name} is missing" for name in sorted(wanted - names))
    if "SERVICE" in json.dumps(list(objects)).replace('"SERVICE_', ""):
        yield "the placeholder SERVICE was left somewhere"


def every_object_has_its_phase(objects: Objects) -> Iterator[str]:
    """The labels by which a release applies settings, then jobs, then services."""
    phases = {"Deployment": "service", "Service": "service", "PodDisruptionBudget": "service", "Job": "job"}
    for item in objects:
        labels = item["metadata"].get("labels", {})
        wanted = phases.get(item["kind"], "settings")
        if labels.get("mentoring/phase") != wanted:
            yield f"{name_of(item)} is of phase {labels.get('mentoring/phase')}, not {wanted}"
        if labels.get("app.kubernetes.io/part-of") != "mentoring":
            yield f"{name_of(item)} is not marked as part of the platform"


def images_are_pinned(objects: Objects) -> Iterator[str]:
    for workload in _workloads(objects):
        for container in _containers(workload):
            if not is_pinned(container.get("image", "")):
                yield f"{name_of(workload)} uses {container.get('image')}"


def pods_are_restricted(objects: Objects) -> Iterator[str]:
    """The restricted Pod Security Standard, and a read-only root on top of it."""
    for workload in _workloads(objects):
        name, pod = name_of(workload), _pod(workload)
        context = pod.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser", 0):
            yield f"{name} may run as root"
        if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name} has no seccomp profile"
        for key in {"hostNetwork", "hostPID", "hostIPC"} & set(pod):
            yield f"{name} asks for {key}"
        yield from (
            f"{name} mounts a path of the node" for volume in pod.get("volumes", []) if "hostPath" in volume
        )
        for container in _containers(workload):
            own = container.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False:
                yield f"{name} may gain privileges"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{name} may write to its image"
            if own.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{name} keeps or adds capabilities"
            for key in {"privileged", "runAsUser", "seccompProfile"} & set(own):
                yield f"{name} has a {key} of its own"


def nobody_calls_the_cluster(objects: Objects) -> Iterator[str]:
    for item in [*of_kind(objects, "ServiceAccount"), *(_pod(workload) for workload in _workloads(objects))]:
        if item.get("automountServiceAccountToken") is not False:
            yield f"a token is mounted by {item.get('metadata', item.get('containers'))}"
    for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        yield from (f"{name_of(item)} gives rights" for item in of_kind(objects, kind))


def everything_has_limits(objects: Objects) -> Iterator[str]:
    for workload in _workloads(objects):
        for container in _containers(workload):
            resources = container.get("resources", {})
            for bound in ("requests", "limits"):
                for resource in set(RESOURCES) - set(resources.get(bound, {})):
                    yield f"{name_of(workload)} has no {bound} of {resource}"
        for volume in _pod(workload).get("volumes", []):
            if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
                yield f"{name_of(workload)} may fill the node through {volume['name']}"


def deployments_are_probed(objects: Objects) -> Iterator[str]:
    for deployment in of_kind(objects, "Deployment"):
        container = _containers(deployment)[0]
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        if ports.get("http") != int(_settings(objects).get("MENTORING_HTTP_PORT", "0")):
            yield f"{name_of(deployment)} does not listen where it says"
        for probe, path in PROBES.items():
            if container.get(probe, {}).get("httpGet") != {"path": path, "port": "http"}:
                yield f"{name_of(deployment)} has no {probe} of {path}"


def deployments_may_finish_their_work(objects: Objects) -> Iterator[str]:
    work = float(_settings(objects).get("MENTORING_SHUTDOWN_SECONDS", "inf"))
    for deployment in of_kind(objects, "Deployment"):
        sleep = (
            _containers(deployment)[0]
            .get("lifecycle", {})
            .get("preStop", {})
            .get("sleep", {})
            .get("seconds", 0)
        )
        if not sleep:
            yield f"{name_of(deployment)} stops answering before the endpoints forget it"
        grace = _pod(deployment).get("terminationGracePeriodSeconds", 30)
        if grace < sleep + work + 10:
            yield f"{name_of(deployment)} is killed after {grace} s, and may need {sleep + work:.0f} or more"


def deployments_survive_a_drain(objects: Objects) -> Iterator[str]:
    budgets = [item["spec"] for item in of_kind(objects, "PodDisruptionBudget")]
    for deployment in of_kind(objects, "Deployment"):
        name, replicas = name_of(deployment), deployment["spec"].get("replicas", 1)
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        mine = [budget for budget in budgets if budget["selector"]["matchLabels"].items() <= labels.items()]
        if replicas < 2:
            yield f"{name} has a single replica"
        if len(mine) != 1:
            yield f"{name} has {len(mine)} disruption budgets"
        elif not 0 < mine[0].get("maxUnavailable", 0) < replicas:
            yield f"{name} cannot be drained, or not without a gap"


def services_find_their_pods(objects: Objects) -> Iterator[str]:
    pods = {item["metadata"]["name"]: item["spec"] for item in of_kind(objects, "Deployment")}
    for service in of_kind(objects, "Service"):
        spec, name = service["spec"], service["metadata"]["name"]
        labels = {key: value["template"]["metadata"]["labels"] for key, value in pods.items()}
        found = [key for key, value in labels.items() if spec["selector"].items() <= value.items()]
        if found != [name]:
            yield f"{name} leads to {found}"
            continue
        if pods[name]["selector"]["matchLabels"] != spec["selector"]:
            yield f"{name} and its Deployment select differently"
        ports = {port["name"] for port in pods[name]["template"]["spec"]["containers"][0]["ports"]}
        yield from (f"{name} leads to no port" for port in spec["ports"] if port["targetPort"] not in ports)


def jobs_end(objects: Objects) -> Iterator[str]:
    for job in of_kind(objects, "Job"):
        if _pod(job).get("restartPolicy") != "Never":
            yield f"{name_of(job)} restarts its container and hides the failure's log"
        for key in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
            if key not in job["spec"]:
                yield f"{name_of(job)} has no {key}"


def secrets_are_only_referred_to(objects: Objects) -> Iterator[str]:
    yield from (f"{name_of(item)} is part of the base" for item in of_kind(objects, "Secret"))
    for name in filter(is_secret_name, _settings(objects)):
        yield f"the settings hold {name}"
    for workload in _workloads(objects):
        for container in _containers(workload):
            for variable in container.get("env", []):
                if is_secret_name(variable["name"]) or "secretKeyRef" in variable.get("valueFrom", {}):
                    yield f"{name_of(workload)} has the secret {variable['name']} in its environment"


def secrets_are_the_least_needed(objects: Objects) -> Iterator[str]:
    """A service holds its own working passwords, its migration the owner's, and nobody another's."""
    wanted = {f"Deployment/{name}": [f"{name}-database", f"{name}-kafka"] for name in SERVICES}
    wanted["Deployment/notifications"].append("notifications-smtp")
    wanted |= {f"Job/{name}-migrate": [f"{name}-database-owner"] for name in SERVICES}
    wanted["Job/topics"] = ["topics-kafka"]
    for workload in _workloads(objects):
        held = secrets_of(workload)
        if held != wanted.get(name_of(workload)):
            yield f"{name_of(workload)} holds {held}"


def secrets_of(workload: Document) -> list[str]:
    """The Secrets that the pods mount, in the order in which they do."""
    return [
        source["secret"]["name"]
        for volume in _pod(workload).get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        if "secret" in source
    ] + [volume["secret"]["secretName"] for volume in _pod(workload).get("volumes", []) if "secret" in volume]


def services_are_alike(objects: Objects) -> Iterator[str]:
    for kind, suffix in (
        ("Deployment", ""),
        ("Service", ""),
        ("PodDisruptionBudget", ""),
        ("Job", "-migrate"),
    ):
        shapes = {
            service: _shape(service, item)
            for service in SERVICES
            for item in of_kind(objects, kind)
            if item["metadata"]["name"] == service + suffix
        }
        if len(set(shapes.values())) != 1:
            yield f"the four of kind {kind} differ by more than the name"


def _shape(service: str, item: Document) -> str:
    without_mail: Any = json.loads(json.dumps(item))
    if item["kind"] == "Deployment":  # sizes differ: matching computes. That all have limits is another rule
        for container in without_mail["spec"]["template"]["spec"]["containers"]:
            container.pop("resources", None)
    for volume in without_mail["spec"].get("template", {}).get("spec", {}).get("volumes", []):
        if "projected" in volume:
            sources = volume["projected"]["sources"]
            sources[:] = [source for source in sources if source["secret"]["name"] != "notifications-smtp"]
    return re.sub(rf"\b{service}\b", "SERVICE", json.dumps(without_mail, sort_keys=True))


def only_http_comes_in(objects: Objects) -> Iterator[str]:
    for policy in of_kind(objects, "NetworkPolicy"):
        spec = policy["spec"]
        if "Ingress" not in spec.get("policyTypes", []):
            yield "the network policy restricts nothing that comes in"
        for rule in spec.get("ingress", []):
            if not rule.get("from") or rule.get("ports") != [{"protocol": "TCP", "port": "http"}]:
                yield "the network policy lets in more than HTTP from named places"
        selected = spec.get("podSelector", {}).get("matchLabels", {})
        for workload in _workloads(objects):
            if not selected.items() <= workload["spec"]["template"]["metadata"]["labels"].items():
                yield f"the network policy does not hold for {name_of(workload)}"


RULES: Final[dict[str, Rule]] = {
    rule.__name__: rule
    for rule in (
        everything_is_there,
        every_object_has_its_phase,
        images_are_pinned,
        pods_are_restricted,
        nobody_calls_the_cluster,
        everything_has_limits,
        deployments_are_probed,
        deployments_may_finish_their_work,
        deployments_survive_a_drain,
        services_find_their_pods,
        jobs_end,
        secrets_are_only_referred_to,
        secrets_are_the_least_needed,
        services_are_alike,
        only_http_comes_in,
    )
}

FOR_ANY_KUSTOMIZATION: Final = {
    name: RULES[name]
    for name in (
        "images_are_pinned",
        "pods_are_restricted",
        "nobody_calls_the_cluster",
        "everything_has_limits",
        "jobs_end",
    )
}
