"""A whole platform of real processes, in a folder of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from deploy.local.stack import LocalStack

StackMaker = Callable[[], AbstractAsyncContextManager[LocalStack]]


@pytest.fixture
def make_stack(tmp_path: Path) -> StackMaker:
    """Start a fresh platform: ``async with make_stack() as stack``."""
    number = 0

    @asynccontextmanager
    async def make() -> AsyncIterator[LocalStack]:
        nonlocal number
        number += 1
        stack = LocalStack(tmp_path / f"stack{number}", progress=print)
        await stack.start()
        try:
            yield stack
        finally:
            await stack.destroy()

    return make
