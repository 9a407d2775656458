"""Why Kafka does not let us in: what aiokafka's clients put into their log only."""

import ssl

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from shared.messaging.kafka import connection
from shared.runtime.settings import KafkaSettings

_TIMEOUT_MS = 3_000
_BAD_LOGIN = (
    AuthenticationFailedError,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)


async def refusal(settings: KafkaSettings) -> str | None:
    """Why no bootstrap server lets us in, as a clause that names the settings to look at; None when one does."""
    arguments = connection(settings) | {"request_timeout_ms": _TIMEOUT_MS}
    found: str | None = None
    for host, port, _ in collect_hosts(arguments.pop("bootstrap_servers"), randomize=False):
        try:
            conn = await create_conn(host, port, **arguments)
            try:
                await conn.send(MetadataRequest([]))
            finally:
                conn.close()
        except (KafkaError, OSError, TimeoutError) as error:
            why = _why(error, settings)
            found = found or (why and f"Kafka at {host}:{port} {why}")
        else:
            return None
    return found or f"Kafka does not answer at {settings.kafka_bootstrap_servers}"


def _why(error: Exception, settings: KafkaSettings) -> str | None:
    """None when it did not answer at all."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that we do not trust ({error.verify_message}): see MENTORING_KAFKA_CA_FILE"
    tls = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(tls, ssl.SSLError):
        return (
            f"refuses the TLS connection ({tls.reason}): see MENTORING_KAFKA_CERT_FILE, _KEY_FILE and"
            " _SECURITY_PROTOCOL"
        )
    if isinstance(error, _BAD_LOGIN):
        return (
            f"refuses the login of {settings.kafka_sasl_username} by {settings.kafka_sasl_mechanism}:"
            " see MENTORING_KAFKA_SASL_USERNAME, _PASSWORD and _MECHANISM"
        )
    if isinstance(error, KafkaConnectionError):
        protocol = settings.kafka_security_protocol
        return f"ends connections made with {protocol}: see MENTORING_KAFKA_SECURITY_PROTOCOL"
    return None
