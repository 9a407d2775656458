"""A key's partition is the one into which every other client puts it."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import example, given
from hypothesis import strategies as st

from shared.messaging.partitions import murmur2, partition_of


@given(key=st.binary(max_size=80), count=st.integers(1, 100))
@example(key=b"", count=12)
@example(key=b"\xff" * 7, count=12)
def test_a_key_goes_where_the_library_would_send_it(key: bytes, count: int) -> None:
    numbers = list(range(count))
    assert partition_of(key, count) == DefaultPartitioner()(key, numbers, numbers)


def test_java_would_agree() -> None:
    """Values of Kafka's own tests, so that not two Pythons agree on something else."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    for key, value in known.items():
        assert murmur2(key) == value & 0xFFFFFFFF
