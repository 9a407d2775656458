"""Every command in the runbooks and on the page of matching exists, with the options that they use."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from shared.cli.main import app

DOCS = Path(__file__).parents[3] / "docs"
RUNBOOKS = [*sorted((DOCS / "runbooks").glob("*.md")), DOCS / "architecture" / "matching.md"]
_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_INLINE = re.compile(r"`(mentoring [^`]+)`")


def commands(text: str) -> Iterator[list[str]]:
    lines = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    for line in [*lines, *_INLINE.findall(text)]:
        words = shlex.split(line, comments=True)
        if words[:1] == ["mentoring"]:
            yield words[1:]


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.name)
def test_the_commands_of_a_runbook_can_be_typed(page: Path) -> None:
    found = list(commands(page.read_text()))
    assert found
    for words in found:
        command, rest = get_command(app), list(words)
        while hasattr(command, "commands"):
            assert rest, f"`mentoring {' '.join(words)}` is a group and not a command"
            assert rest[0] in command.commands, f"there is no `mentoring {' '.join(words)}`"
            command = command.commands[rest.pop(0)]
        if rest:  # a command may be named without what it needs
            with command.make_context("mentoring", rest) as context:
                assert context.command is command


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.name)
def test_the_links_of_a_runbook_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target
