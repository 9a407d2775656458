"""Whatever names and texts are, what a reader's program takes out of the mail is what went in."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.mime import BadAddress, document, header, mailbox
from services.notifications.rendering import _one_line

printable = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=120).map(_one_line)
lines = st.lists(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=200), max_size=5)


@given(name=printable, subject=printable, text=lines.map("\n".join), markup=lines.map("\n".join))
def test_a_mail_reads_as_it_was_written(name: str, subject: str, text: str, markup: str) -> None:
    to, wire = mailbox(name, "ada@example.org")
    content = document([f"To: {to}", header("Subject", subject)], "some-id", f"{text}\n", f"{markup}\n")
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    read = email.message_from_bytes(content, policy=email.policy.default)
    assert content.isascii()
    assert [address.addr_spec for address in read["To"].addresses] == [wire]
    assert read["Subject"] == subject
    bodies = [part.get_content().replace("\r\n", "\n") for part in read.iter_parts()]
    assert bodies == [f"{text}\n", f"{markup}\n"]


@pytest.mark.parametrize(
    "name",
    ["Ada Lovelace", "O'Neil, Bob", 'A "B" \\ C', "Łukasz Żak", "渡辺", "a@b", "(x)", "=?utf-8?q?Eve?="],
)
def test_names_survive(name: str) -> None:
    to, _ = mailbox(name, "ada@example.org")
    read = email.message_from_bytes(document([f"To: {to}"], "i", "x\n", "x\n"), policy=email.policy.default)
    (address,) = read["To"].addresses
    assert (address.display_name, address.addr_spec) == (name, "ada@example.org")


def test_the_same_letter_gives_the_same_bytes() -> None:
    assert document(["A: b"], "i", "x\n", "y\n") == document(["A: b"], "i", "x\n", "y\n")


def test_a_header_of_two_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="more than one line"):
        header("Subject", "a\r\nBcc: b@example.org")


@pytest.mark.parametrize(
    "address", ["", "x", "a b@c", "a@b c", "a@b>", "a@b\r\nRCPT TO:<c@d>", "(c)a@b", "a@(c)b"]
)
def test_what_could_be_read_as_something_else_is_no_address(address: str) -> None:
    with pytest.raises(BadAddress):
        mailbox("Ada", address)
