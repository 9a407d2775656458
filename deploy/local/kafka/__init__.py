"""Apache Kafka as plain processes of this machine: `Kafka.start(data_dir)`."""

from deploy.local.kafka.acl import Allow
from deploy.local.kafka.cluster import Kafka

__all__ = ["Allow", "Kafka"]
