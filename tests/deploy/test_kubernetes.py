"""The Kubernetes folder renders, is valid in the strict sense, and is hardened as it claims.

Every rule is shown to reject a broken copy.
"""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest

from tests.deploy.kubernetes_rules import FOR_ANY_KUSTOMIZATION, RULES, Objects, name_of, of_kind, secrets_of
from tests.deploy.sources import KUBERNETES, Document, check_all, render

VERSIONS: Final = ("1.34", "1.37")
"""The oldest and the newest Kubernetes that the manifests are meant for."""


def _validate(item: Document, version: str) -> None:
    kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", ["base", "bootstrap", "example"])
def test_every_object_is_valid(folder: str, version: str, request: pytest.FixtureRequest) -> None:
    objects: list[Document] = request.getfixturevalue(folder)
    assert objects
    for item in objects:
        _validate(item, version)


def test_the_schema_rejects_a_misspelt_field(base: Objects) -> None:
    broken = copy.deepcopy(of_kind(base, "Deployment")[0])
    broken["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        _validate(broken, VERSIONS[-1])


def test_the_schema_rejects_a_wrong_type(base: Objects) -> None:
    broken = copy.deepcopy(of_kind(base, "Deployment")[0])
    broken["spec"]["replicas"] = "two"
    with pytest.raises(kubernetes_validate.ValidationError):
        _validate(broken, VERSIONS[-1])


def test_a_broken_folder_does_not_render(tmp_path: Path) -> None:
    folder = shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    (folder / "service" / "deployment.yaml").unlink()
    with pytest.raises(ValueError, match="does not render"):
        render(folder / "base")


def test_the_base_keeps_every_rule(base: Objects) -> None:
    assert check_all(RULES, base) == []


def test_bootstrap_keeps_the_general_rules(bootstrap: Objects) -> None:
    assert check_all(FOR_ANY_KUSTOMIZATION, bootstrap) == []


def test_the_example_keeps_the_general_rules(example: Objects) -> None:
    assert check_all(FOR_ANY_KUSTOMIZATION, example) == []


def test_the_example_needs_its_secret_files(tmp_path: Path) -> None:
    folder = shutil.copytree(KUBERNETES, tmp_path / "kubernetes", ignore=shutil.ignore_patterns("*password*"))
    with pytest.raises(ValueError, match="no such file"):
        render(folder / "overlays" / "example")


def test_the_example_makes_every_secret_that_is_mounted(example: Objects) -> None:
    made = {item["metadata"]["name"] for item in of_kind(example, "Secret")}
    mounted = {name for item in example if item["kind"] in ("Deployment", "Job") for name in secrets_of(item)}
    assert mounted == made


def _edit(name: str, *path: str | int, value: Any = None) -> Callable[[Objects], None]:
    """Set what is at `path` in the object of that name, or remove it when no value is given."""

    def change(objects: Objects) -> None:
        target: Any = next(item for item in objects if name_of(item) == name)
        for step in path[:-1]:
            target = target[step]
        if value is None:
            del target[path[-1]]
        else:
            target[path[-1]] = value

    return change


def _without(name: str) -> Callable[[Objects], None]:
    def change(objects: Objects) -> None:
        assert isinstance(objects, list)
        objects[:] = [item for item in objects if name_of(item) != name]

    return change


def _with(item: Document) -> Callable[[Objects], None]:
    def change(objects: Objects) -> None:
        assert isinstance(objects, list)
        objects.append(item)

    return change


def _environment(name: str, variable: Document) -> Callable[[Objects], None]:
    def change(objects: Objects) -> None:
        target = next(item for item in objects if name_of(item) == name)
        target["spec"]["template"]["spec"]["containers"][0].setdefault("env", []).append(variable)

    return change


def _setting(name: str, value: str) -> Callable[[Objects], None]:
    def change(objects: Objects) -> None:
        of_kind(objects, "ConfigMap")[0]["data"][name] = value

    return change


_POD = ("spec", "template", "spec")
_FIRST = (*_POD, "containers", 0)
_ROLE: Document = {"kind": "ClusterRole", "metadata": {"name": "all"}}
_SECRET: Document = {"kind": "Secret", "metadata": {"name": "profiles-database"}, "data": {}}
_FROM_KEY = {"secretKeyRef": {"name": "profiles-database", "key": "x"}}

BROKEN: list[tuple[str, Callable[[Objects], None]]] = [
    ("everything_is_there", _without("Deployment/feedback")),
    ("everything_is_there", _without("Job/topics")),
    ("everything_is_there", _edit("Deployment/feedback", *_POD, "serviceAccountName", value="SERVICE")),
    ("every_object_has_its_phase", _edit("Job/topics", "metadata", "labels", "mentoring/phase")),
    ("every_object_has_its_phase", _edit("Job/topics", "metadata", "labels", "app.kubernetes.io/part-of")),
    ("images_are_pinned", _edit("Deployment/profiles", *_FIRST, "image", value="mentoring/profiles")),
    ("images_are_pinned", _edit("Job/topics", *_FIRST, "image", value="mentoring/tools:latest")),
    ("pods_are_restricted", _edit("Deployment/profiles", *_POD, "securityContext", "runAsNonRoot")),
    ("pods_are_restricted", _edit("Job/topics", *_POD, "securityContext", "runAsUser", value=0)),
    ("pods_are_restricted", _edit("Job/topics", *_POD, "securityContext", "seccompProfile")),
    ("pods_are_restricted", _edit("Job/topics", *_POD, "hostNetwork", value=True)),
    ("pods_are_restricted", _edit("Job/topics", *_POD, "volumes", 2, value={"name": "tmp", "hostPath": {}})),
    ("pods_are_restricted", _edit("Job/topics", *_FIRST, "securityContext", "allowPrivilegeEscalation")),
    ("pods_are_restricted", _edit("Job/topics", *_FIRST, "securityContext", "readOnlyRootFilesystem")),
    ("pods_are_restricted", _edit("Job/topics", *_FIRST, "securityContext", "capabilities", "drop")),
    ("pods_are_restricted", _edit("Job/topics", *_FIRST, "securityContext", "privileged", value=True)),
    ("nobody_calls_the_cluster", _edit("Deployment/matching", *_POD, "automountServiceAccountToken")),
    ("nobody_calls_the_cluster", _edit("ServiceAccount/matching", "automountServiceAccountToken")),
    ("nobody_calls_the_cluster", _with(_ROLE)),
    ("everything_has_limits", _edit("Deployment/matching", *_FIRST, "resources", "limits", "memory")),
    ("everything_has_limits", _edit("Job/topics", *_FIRST, "resources", "requests")),
    ("everything_has_limits", _edit("Job/topics", *_POD, "volumes", 2, "emptyDir", value={"medium": ""})),
    ("deployments_are_probed", _edit("Deployment/matching", *_FIRST, "startupProbe")),
    (
        "deployments_are_probed",
        _edit("Deployment/matching", *_FIRST, "livenessProbe", "httpGet", "path", value="/"),
    ),
    ("deployments_are_probed", _edit("Deployment/matching", *_FIRST, "readinessProbe")),
    ("deployments_are_probed", _setting("MENTORING_HTTP_PORT", "8081")),
    (
        "deployments_may_finish_their_work",
        _edit("Deployment/profiles", *_POD, "terminationGracePeriodSeconds"),
    ),
    ("deployments_may_finish_their_work", _edit("Deployment/profiles", *_FIRST, "lifecycle")),
    ("deployments_may_finish_their_work", _setting("MENTORING_SHUTDOWN_SECONDS", "60")),
    ("deployments_survive_a_drain", _without("PodDisruptionBudget/profiles")),
    ("deployments_survive_a_drain", _edit("PodDisruptionBudget/profiles", "spec", "maxUnavailable", value=2)),
    ("deployments_survive_a_drain", _edit("PodDisruptionBudget/profiles", "spec", "maxUnavailable")),
    ("deployments_survive_a_drain", _edit("Deployment/profiles", "spec", "replicas", value=1)),
    (
        "services_find_their_pods",
        _edit("Service/profiles", "spec", "selector", "app.kubernetes.io/name", value="matching"),
    ),
    ("services_find_their_pods", _edit("Service/profiles", "spec", "ports", 0, "targetPort", value="web")),
    (
        "services_find_their_pods",
        _edit("Service/profiles", "spec", "selector", "app.kubernetes.io/component"),
    ),
    ("jobs_end", _edit("Job/profiles-migrate", "spec", "activeDeadlineSeconds")),
    ("jobs_end", _edit("Job/profiles-migrate", *_POD, "restartPolicy", value="OnFailure")),
    ("secrets_are_only_referred_to", _with(_SECRET)),
    ("secrets_are_only_referred_to", _setting("MENTORING_DATABASE_APP_PASSWORD", "hunter2")),
    (
        "secrets_are_only_referred_to",
        _environment("Deployment/profiles", {"name": "DB_PASSWORD", "value": "x"}),
    ),
    (
        "secrets_are_only_referred_to",
        _environment("Deployment/profiles", {"name": "X", "valueFrom": _FROM_KEY}),
    ),
    (
        "secrets_are_the_least_needed",
        _edit(
            "Deployment/profiles",
            *_POD,
            "volumes",
            0,
            "projected",
            "sources",
            0,
            "secret",
            "name",
            value="profiles-database-owner",
        ),
    ),
    (
        "secrets_are_the_least_needed",
        _edit(
            "Job/topics",
            *_POD,
            "volumes",
            2,
            value={"name": "s", "secret": {"secretName": "profiles-database"}},
        ),
    ),
    ("services_are_alike", _edit("Deployment/profiles", "spec", "replicas", value=3)),
    ("services_are_alike", _edit("Job/profiles-migrate", "spec", "backoffLimit", value=1)),
    ("only_http_comes_in", _edit("NetworkPolicy/mentoring", "spec", "ingress", 0, "from")),
    ("only_http_comes_in", _edit("NetworkPolicy/mentoring", "spec", "policyTypes", value=["Egress"])),
    (
        "only_http_comes_in",
        _edit("NetworkPolicy/mentoring", "spec", "podSelector", "matchLabels", value={"a": "b"}),
    ),
]


@pytest.mark.parametrize(("rule", "change"), BROKEN)
def test_a_broken_copy_is_rejected(rule: str, change: Callable[[Objects], None], base: Objects) -> None:
    objects = copy.deepcopy(base)
    change(objects)
    assert list(RULES[rule](objects)), f"{rule} found nothing wrong"


def test_every_rule_is_shown_to_reject_something() -> None:
    assert {rule for rule, _ in BROKEN} == set(RULES)
