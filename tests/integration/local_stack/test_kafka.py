"""The embedded Kafka is the real thing, and survives what tests do to it."""

import asyncio
import json
import socket
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from deploy.local import Kafka, LocalStackError, PortInUse
from deploy.local.kafka import Allow
from deploy.local.ports import LOOPBACK

pytestmark = pytest.mark.stack


async def _create_topic(options: dict[str, Any], name: str, replicas: int = 1) -> None:
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, replicas)])
    finally:
        await admin.close()


async def _send(options: dict[str, Any], topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=b"k")
    finally:
        await producer.stop()


async def _receive(options: dict[str, Any], topic: str, group: str) -> bytes | None:
    consumer = AIOKafkaConsumer(topic, **options, group_id=group, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            value: bytes | None = (await consumer.getone()).value
            return value
    finally:
        await consumer.stop()


async def test_states_its_version_and_logs_to_its_file(kafka: Kafka) -> None:
    assert kafka.version == "4.4.0"
    assert "Kafka version: 4.4.0" in kafka.log_path().read_text()


async def test_round_trip(kafka: Kafka) -> None:
    topic = f"round-trip-{uuid.uuid4().hex}"
    options = kafka.client_options()
    await _create_topic(options, topic)
    await _send(options, topic, b"hello")
    assert await _receive(options, topic, topic) == b"hello"


async def test_topics_are_not_made_by_accident(kafka: Kafka) -> None:
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    try:
        described = await admin.describe_topics(["nobody-made-this"])
        assert described[0]["error_code"] == UnknownTopicOrPartitionError.errno
        assert "nobody-made-this" not in await admin.list_topics()
    finally:
        await admin.close()


async def test_a_second_cluster_on_the_same_folder_is_refused(kafka: Kafka) -> None:
    with pytest.raises(LocalStackError, match="already runs"):
        await Kafka.start(kafka.data_dir)


async def test_another_program_can_attach_and_stop_it(tmp_path: Path) -> None:
    kafka = await Kafka.start(tmp_path / "kafka")
    try:
        other = await Kafka.attach(tmp_path / "kafka")
        assert other.running
        assert other.bootstrap_servers == kafka.bootstrap_servers
        await other.stop()
        assert not kafka.running
    finally:
        await kafka.kill()


@pytest.mark.slow
async def test_killed_and_restarted_it_keeps_its_data_and_port(tmp_path: Path) -> None:
    kafka = await Kafka.start(tmp_path / "kafka")
    try:
        options = kafka.client_options()
        await _create_topic(options, "kept")
        await _send(options, "kept", b"before the crash")
        await kafka.kill()
        assert not kafka.running
        await kafka.restart()
        assert kafka.client_options() == options
        assert await _receive(options, "kept", "g") == b"before the crash"
    finally:
        await kafka.stop()


async def test_frozen_it_answers_when_thawed(kafka: Kafka) -> None:
    topic = f"frozen-{uuid.uuid4().hex}"
    options = kafka.client_options()
    await _create_topic(options, topic)
    kafka.pause()
    try:
        sending = asyncio.create_task(_send(options, topic, b"late"))
        done, _ = await asyncio.wait([sending], timeout=1)
        assert not done
        assert kafka.running
    finally:
        kafka.resume()
    await sending
    assert await _receive(options, topic, topic) == b"late"


async def test_a_taken_port_fails_loudly(tmp_path: Path) -> None:
    kafka = await Kafka.start(tmp_path / "kafka")
    port = int(kafka.bootstrap_servers.rpartition(":")[2])
    await kafka.stop()
    with socket.create_server((LOOPBACK, port)), pytest.raises(PortInUse, match=str(port)):
        await kafka.restart()


def test_what_is_kept_for_a_restart_is_private(kafka: Kafka) -> None:
    file = kafka.data_dir / "kafka.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["cluster_id"] == kafka.cluster_id


@pytest.mark.slow
async def test_three_brokers_with_logins_survive_the_loss_of_one(tmp_path: Path) -> None:
    kafka = await Kafka.start(
        tmp_path / "kafka",
        brokers=3,
        sasl=True,
        users={"reader": "r3ad", "alien": "x"},
        # How long the others wait for a broker before they take over; the default of 9 s is only longer.
        settings={"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"},
    )
    try:
        admin = kafka.client_options()
        await _create_topic(admin, "replicated", replicas=3)
        await _send(admin, "replicated", b"one")
        await kafka.allow(
            Allow("reader", "read", "topic", "repl", prefix=True),
            Allow("alien", "write", "topic", "alien.", prefix=True),
            Allow("reader", "all", "group", "reader.", prefix=True),
        )
        await kafka.kill(node=1)
        await _send(admin, "replicated", b"two")
        assert await _receive(kafka.client_options("reader"), "replicated", "reader.1") == b"one"
        with pytest.raises(TopicAuthorizationFailedError):
            await _send(kafka.client_options("alien"), "replicated", b"not mine")
        await kafka.restart(node=1)
        assert kafka.running
    finally:
        await kafka.stop()
