"""One set of settings gives FastStream's broker and aiokafka's clients the same security."""

import ssl

import pytest
from faststream.kafka.security import parse_security

from shared.messaging.kafka import _security, connection
from shared.runtime.settings import KafkaSettings


@pytest.mark.parametrize("protocol", ["SSL", "SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_broker_and_clients_log_in_alike(protocol: str, mechanism: str) -> None:
    settings = KafkaSettings.model_validate(
        {
            "kafka_bootstrap_servers": "kafka:9092",
            "kafka_security_protocol": protocol,
            "kafka_sasl_mechanism": mechanism,
            "kafka_sasl_username": "ada",
            "kafka_sasl_password": "secret",
        }
    )
    broker, client = parse_security(_security(settings)), connection(settings)
    assert broker["security_protocol"] == client["security_protocol"] == protocol
    for arguments in (broker, client):
        assert isinstance(arguments["ssl_context"], ssl.SSLContext) == protocol.endswith("SSL")
        if protocol.startswith("SASL"):
            assert arguments["sasl_mechanism"] == mechanism
            assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("ada", "secret")
