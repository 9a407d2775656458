"""Services as the command sees them: answers by route, and what was asked of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt

Answer = Callable[[httpx.Request], httpx.Response]

TOKEN = jwt.encode({"sub": "op", "tenant": "acme", "roles": ["operator"]}, "k" * 32, algorithm="HS256")
SERVICES = ("profiles", "matching", "feedback", "notifications")
ENVIRONMENT = {
    "MENTORING_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "MENTORING_TOKEN": TOKEN,
    **{f"MENTORING_{name.upper()}_URL": f"http://{name}" for name in SERVICES},
}

HEALTHY_STATUS: dict[str, Any] = {
    "outbox_pending": 0,
    "outbox_oldest_seconds": 0.0,
    "timers_due": 0,
    "timers_oldest_seconds": 0.0,
    "timers_pending": 3,
    "dead_letters_open": 0,
    "business_time": "2026-03-02T09:00:00+00:00",
    "consumers": [
        {"topic": "programme", "alive": True, "waiting_for": None, "circuit_open": False, "behind": 0}
    ],
    "relay_waiting_for": None,
    "timers_waiting_for": None,
}


def answer(document: Any, status: int = 200) -> Answer:
    """Always this document."""
    return lambda request: httpx.Response(status, json=document)


def problem(status: int, code: str, detail: str) -> Answer:
    """A problem document as services send it."""
    return answer({"type": f"urn:mentoring:problem:{code}", "code": code, "detail": detail}, status)


def silence(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


@dataclass
class FakeServices:
    """Four healthy services; a test replaces answers by ``(service, "GET /path")``."""

    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    asked: list[httpx.Request] = field(default_factory=list)

    def set(self, service: str, route: str, reply: Answer) -> None:
        self.answers[service, route] = reply

    def calls(self, method: str = "") -> list[str]:
        """What was asked: ``METHOD service/path?query``."""
        return [
            f"{request.method} {request.url.host}{request.url.raw_path.decode()}"
            for request in self.asked
            if request.method.startswith(method)
        ]

    def bodies(self, method: str) -> list[Any]:
        return [json.loads(request.content) for request in self.asked if request.method == method]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        service, route = request.url.host, f"{request.method} {request.url.path}"
        if service in self.silent:
            return silence(request)
        if (reply := self.answers.get((service, route))) is not None:
            return reply(request)
        defaults: dict[str, Any] = {
            "GET /health/ready": {"ready": True, "why": "ready"},
            "GET /health/live": {"live": True, "tasks": {"relay": "running", "timers": "running"}},
            "GET /management/status": {"service": service, **HEALTHY_STATUS},
            "GET /management/dead-letters": {"items": [], "next": None},
        }
        if route in defaults:
            return httpx.Response(200, json=defaults[route])
        return httpx.Response(404, json={"code": "not_found", "detail": f"There is no {route}."})


def letter(identity: str, *, reason: str = "tenant_unknown", **values: Any) -> dict[str, Any]:
    """A dead letter as a service lists it."""
    return {
        "id": identity,
        "topic": "hr-intake",
        "partition": 4,
        "record_offset": 17,
        "source": "urn:acme:workday",
        "event_id": f"e-{identity}",
        "event_type": "hr.person.recorded.v1",
        "reason": reason,
        "detail": "This tenant has not been set up.",
        "attempts": 1,
        "state": "open",
        "died_at": "2026-03-02T09:00:00.123456+00:00",
    } | values
