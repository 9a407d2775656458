"""Every way in which Kafka can be reached, on a real broker, with the clients that the services use.

Each refusal names the settings to look at: somebody who connects the platform to a cluster reads it first.
"""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    TopicAuthorizationFailedError,
)
from typer.testing import CliRunner

from deploy.local.kafka import Allow, Kafka
from deploy.local.kafka.tls import Authority
from shared.cli.main import app
from shared.contracts import TOPIC
from shared.messaging.consumer import TopicConsumer
from shared.messaging.kafka import (
    LagReader,
    group_name,
    make_admin,
    make_broker,
    make_producer,
    make_reader,
    reachable,
    topic_name,
)
from shared.messaging.metrics import Metrics
from shared.messaging.refusal import refusal
from shared.messaging.topics import create_topics
from shared.runtime.settings import KafkaSettings
from tests.support.waiting import eventually

# asyncio leaves transport and socket of a failed TLS handshake to the collector (Python 3.11).
pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]

PERSON = TOPIC["person"]
SECURED = ("SSL", "SASL_PLAINTEXT", "SASL_SSL")
PREFIX = "p."


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["PLAINTEXT", *SECURED])
async def kafka(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Kafka]:
    """A cluster with this protocol, the person topic, and "profiles" who may use it; "stranger" may not."""
    protocol: str = request.param
    running = await Kafka.start(
        tmp_path_factory.mktemp("kafka"),
        sasl=protocol.startswith("SASL"),
        tls=protocol.endswith("SSL"),
        users={"profiles": "pr0files", "stranger": "str@nger", "late": "l@te"},
    )
    assert running.security_protocol == protocol
    try:
        await create_topics(settings_of(running, "admin"), [PERSON])
        if protocol != "PLAINTEXT":
            name = PREFIX + PERSON.name
            await running.allow(
                Allow("profiles", "read", "topic", name),
                Allow("profiles", "all", "group", PREFIX, prefix=True),
                Allow("late", "all", "group", PREFIX, prefix=True),
                Allow("late", "describe", "topic", name),
                # Some topic to write to: an idempotent producer needs one before it may even start.
                Allow("stranger", "write", "topic", "elsewhere"),
                Allow("late", "write", "topic", "elsewhere"),
                Allow("profiles", "write", "topic", name),
            )

        async def may_write() -> bool:
            try:
                await send(settings_of(running, "profiles"), b"hello")
            except (ClusterAuthorizationFailedError, TopicAuthorizationFailedError):
                return False
            return True

        # The controller has the rules; the broker hears of them a moment later, in their order.
        await eventually(may_write, what="the last rule")
        yield running
    finally:
        await running.stop()
        gc.collect()  # here, where what is unclosed is expected, and not in somebody else's test


secured = pytest.mark.parametrize("kafka", SECURED, indirect=True)
with_tls = pytest.mark.parametrize("kafka", ["SSL", "SASL_SSL"], indirect=True)
with_passwords = pytest.mark.parametrize("kafka", ["SASL_PLAINTEXT", "SASL_SSL"], indirect=True)
with_certificates = pytest.mark.parametrize("kafka", ["SSL"], indirect=True)
strictest = pytest.mark.parametrize("kafka", ["SASL_SSL"], indirect=True)


def settings_of(kafka: Kafka, user: str, **changes: Any) -> KafkaSettings:
    """What a process is told to connect as *user*; *changes* replace or add some."""
    protocol = kafka.security_protocol
    values: dict[str, Any] = {
        "kafka_bootstrap_servers": kafka.bootstrap_servers,
        "kafka_security_protocol": protocol,
        "kafka_topic_prefix": PREFIX,
        "kafka_group_prefix": PREFIX,
    }
    if protocol.endswith("SSL"):
        values["kafka_ca_file"] = kafka.ca_file
    if protocol == "SSL":
        own = kafka.certificate(user)
        values |= {"kafka_cert_file": own.cert_file, "kafka_key_file": own.key_file}
    if protocol.startswith("SASL"):
        values |= {"kafka_sasl_username": user, "kafka_sasl_password": kafka.password(user)}
    return KafkaSettings.model_validate(values | changes)


async def check_by_command(settings: KafkaSettings) -> tuple[int, str]:
    """Exit code and error text of `mentoring topics check`."""
    told = {
        f"MENTORING_{name.upper()}": str(value)
        for name, value in settings.model_dump(exclude_none=True, exclude={"kafka_sasl_password"}).items()
    }
    if settings.kafka_sasl_password:
        told["MENTORING_KAFKA_SASL_PASSWORD"] = settings.kafka_sasl_password.get_secret_value()
    result = await asyncio.to_thread(CliRunner(env=told).invoke, app, ["topics", "check", "--json"])
    return result.exit_code, result.stderr or result.stdout


async def refused(settings: KafkaSettings) -> str:
    """Why nobody gets in with these settings: what a service says that it waits for, and the command too."""
    assert not await reachable(settings)
    with pytest.raises(KafkaConnectionError):
        await send(settings, b"not mine")
    why = await refusal(settings)
    assert why is not None
    assert await check_by_command(settings) == (1, f"{why}.\n")
    return why


async def send(settings: KafkaSettings, value: bytes) -> None:
    producer = make_producer(settings, "test")
    try:
        await producer.start()
        await producer.send_and_wait(topic_name(settings, PERSON), value, key=b"k")
    finally:
        await producer.stop()


async def read(settings: KafkaSettings) -> bytes:
    """The first record of the topic."""
    reader = make_reader(settings, topic_name(settings, PERSON), client_id="test")
    try:
        await reader.start()
        async with asyncio.timeout(30):
            value: bytes = (await reader.getone()).value
            return value
    finally:
        await reader.stop()


async def topics_seen(settings: KafkaSettings) -> list[str]:
    admin = make_admin(settings)
    await admin.start()
    try:
        names: list[str] = await admin.list_topics()
        return names
    finally:
        await admin.close()


def consumer_of(settings: KafkaSettings, seen: list[Any]) -> tuple[Any, TopicConsumer]:
    """A broker and a service's consumer on it that only notes what it gets."""

    async def process(records: Any) -> None:
        seen.extend(record.value for record in records)

    broker = make_broker(settings, "test")
    processor = SimpleNamespace(
        topic=PERSON.name,
        service="profiles",
        waiting_for=None,
        process=process,
        is_large=lambda records: False,
    )
    told = cast(Any, settings.model_copy())
    object.__setattr__(told, "replica", "r0")
    object.__setattr__(told, "batch_max_records", 10)
    return broker, TopicConsumer(told, broker, cast(Any, processor), Metrics("test"))


async def test_all_clients_get_in(kafka: Kafka) -> None:
    settings = settings_of(kafka, "profiles")
    assert await reachable(settings)
    assert await refusal(settings) is None
    assert await read(settings) == b"hello"
    assert topic_name(settings, PERSON) in await topics_seen(settings)

    seen: list[bytes] = []
    broker, consumer = consumer_of(settings, seen)
    await broker.start()
    group = group_name(settings, "profiles", PERSON.name), topic_name(settings, PERSON)
    try:

        async def heard() -> bool:
            return b"hello" in seen

        await eventually(heard, seconds=30, what="the record")
        assert (consumer.alive, consumer.waiting_for) == (True, None)
        async with LagReader(settings) as reader:

            async def caught_up() -> bool:
                return await reader.behind([group]) == {group: 0}

            await eventually(caught_up, what="the commit")
    finally:
        await consumer.drain()
        await broker.stop()


async def test_the_command_gets_in(kafka: Kafka) -> None:
    code, said = await check_by_command(settings_of(kafka, "admin"))
    missing = {finding["topic"]: finding["problem"] for finding in json.loads(said)}
    assert code == 1
    assert missing[f"{PREFIX}programme"] == "is missing"
    assert f"{PREFIX}{PERSON.name}" not in missing


@strictest
async def test_both_kinds_of_passwords_are_good(kafka: Kafka) -> None:
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        assert await reachable(settings_of(kafka, "profiles", kafka_sasl_mechanism=mechanism))
    why = await refused(settings_of(kafka, "profiles", kafka_sasl_mechanism="PLAIN"))
    assert "refuses the login of profiles by PLAIN: see MENTORING_KAFKA_SASL_USERNAME" in why


@with_tls
async def test_a_broker_of_another_authority_is_not_trusted(kafka: Kafka, tmp_path: Any) -> None:
    for other in (Authority.open(tmp_path).ca_file, None):  # another one, or those of the system
        why = await refused(settings_of(kafka, "profiles", kafka_ca_file=other))
        assert "has a certificate that we do not trust" in why
        assert "see MENTORING_KAFKA_CA_FILE" in why


@with_tls
async def test_a_broker_under_a_name_that_it_has_not_is_not_trusted(kafka: Kafka) -> None:
    port = kafka.bootstrap_servers.rpartition(":")[2]
    assert await reachable(settings_of(kafka, "profiles", kafka_bootstrap_servers=f"localhost:{port}"))
    # The same address, spelt as the certificate does not.
    why = await refused(settings_of(kafka, "profiles", kafka_bootstrap_servers=f"127.1:{port}"))
    assert "certificate is not valid for '127.1'" in why


@with_certificates
async def test_without_a_certificate_of_the_clusters_authority_nobody_gets_in(
    kafka: Kafka, tmp_path: Any
) -> None:
    none = await refused(settings_of(kafka, "profiles", kafka_cert_file=None, kafka_key_file=None))
    foreign = Authority.open(tmp_path).certificate("profiles")
    other = await refused(
        settings_of(kafka, "profiles", kafka_cert_file=foreign.cert_file, kafka_key_file=foreign.key_file)
    )
    for why in (none, other):
        assert "refuses the TLS connection" in why
        assert "see MENTORING_KAFKA_CERT_FILE, _KEY_FILE" in why


@with_passwords
async def test_a_wrong_password_is_refused(kafka: Kafka) -> None:
    why = await refused(settings_of(kafka, "profiles", kafka_sasl_password="wr0ng"))
    assert "refuses the login of profiles by SCRAM-SHA-512" in why
    assert "wr0ng" not in why


@secured
async def test_another_protocol_is_refused(kafka: Kafka) -> None:
    why = await refused(settings_of(kafka, "profiles", kafka_security_protocol="PLAINTEXT"))
    assert why.endswith("ends connections made with PLAINTEXT: see MENTORING_KAFKA_SECURITY_PROTOCOL")


@secured
async def test_without_a_rule_nothing_may_be_said_or_heard(kafka: Kafka) -> None:
    await send(settings_of(kafka, "profiles"), b"not for strangers")
    stranger = settings_of(kafka, "stranger")
    with pytest.raises(TopicAuthorizationFailedError):
        await send(stranger, b"not mine")
    with pytest.raises(TopicAuthorizationFailedError, match=r"p\.person"):
        await read(stranger)


@strictest
async def test_a_consumer_says_that_a_rule_is_missing_and_goes_on_when_it_comes(kafka: Kafka) -> None:
    settings = settings_of(kafka, "late", kafka_group_prefix=f"{PREFIX}late.")
    seen: list[bytes] = []
    broker, consumer = consumer_of(settings, seen)
    await broker.start()
    try:

        async def says_so() -> bool:
            return consumer.waiting_for == "Kafka (TopicAuthorizationFailedError)"

        await eventually(says_so, what="the refusal")
        assert consumer.alive
        await send(settings_of(kafka, "profiles"), b"waited for")
        await kafka.allow(Allow("late", "read", "topic", topic_name(settings, PERSON)))

        async def heard() -> bool:
            return b"waited for" in seen and consumer.waiting_for is None

        await eventually(heard, seconds=60, what="the record")
    finally:
        await consumer.drain()
        await broker.stop()
