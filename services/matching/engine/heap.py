"""A mentor's bids as a heap in a stretch of two arrays: the lowest first, so whoever is outbid is found at once."""

from typing import Any

from services.matching.engine.compiled import inlined


@inlined
def rise(bid: Any, bidder: Any, first: int, place: int, offer: int) -> int:
    """Make room for *offer* from *place*, counted from *first*, towards the top. Where it belongs; the caller writes
    it."""
    while place > 0 and bid[first + ((place - 1) >> 1)] > offer:
        above = (place - 1) >> 1
        bid[first + place], bidder[first + place] = bid[first + above], bidder[first + above]
        place = above
    return place


@inlined
def sink(bid: Any, bidder: Any, first: int, place: int, size: int, offer: int) -> int:
    """The same from *place* downwards, in a heap of *size*."""
    while 2 * place + 1 < size:
        below = 2 * place + 1
        if below + 1 < size and bid[first + below + 1] < bid[first + below]:
            below += 1
        if bid[first + below] >= offer:
            break
        bid[first + place], bidder[first + place] = bid[first + below], bidder[first + below]
        place = below
    return place
