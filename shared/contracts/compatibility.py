"""Which changes of a golden schema would break somebody who speaks the existing version of an event.

Two promises are compared. Whatever was valid must stay valid: topics keep old records, and other
systems keep publishing them. Of the events that we *publish*, whatever may be written from now on must
also be valid for a reader of the old schema: other systems and our own previous release read on.
Readers ignore fields that they do not know, so an added optional field breaks neither.

Only what cannot be shown to be harmless by these rules is reported, so a keyword that this module does
not know counts as a break when it changes at all.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Schema = Mapping[str, Any]

_LOWER: Final = (
    "exclusiveMinimum", "minContains", "minItems", "minLength", "minProperties", "minimum",
)  # fmt: skip
_UPPER: Final = (
    "exclusiveMaximum", "maxContains", "maxItems", "maxLength", "maxProperties", "maximum",
)  # fmt: skip
_HANDLED: Final = {
    "$defs", "$id", "$ref", "$schema", "$comment", "additionalProperties", "const", "default", "definitions",
    "deprecated", "description", "enum", "examples", "items", "properties", "propertyNames", "readOnly",
    "required", "title", "type", "writeOnly", *_LOWER, *_UPPER,
}  # fmt: skip
_ROUTING: Final = ("x-topic", "x-key")


def incompatibilities(old_schema: Schema, new_schema: Schema, *, published: bool = True) -> list[str]:
    """Why *new_schema* cannot replace *old_schema* under the same version: sentences, or none.

    ``published`` is False for events that others publish and only we read (HR's): what they may write
    can then grow, because nobody but us has to understand it.
    """
    comparison = _Comparison(old_schema, new_schema, published)
    return [*_routing(old_schema, new_schema), *comparison.compare("", old_schema, new_schema)]


def _routing(old: Schema, new: Schema) -> Iterator[str]:
    for name in _ROUTING:
        if name in old and old[name] != new.get(name):
            yield f"The event: {name} changed from {old[name]} to {new.get(name)}."


def _say(path: str, text: str) -> str:
    return f"{path or 'The event'}: {text}."


@dataclass
class _Comparison:
    old_root: Schema
    new_root: Schema
    published: bool
    _open: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of schemas being compared, so that recursive ones end."""

    def compare(self, path: str, old: Any, new: Any) -> list[str]:
        pair = (json.dumps(old, sort_keys=True), json.dumps(new, sort_keys=True))
        if pair in self._open:
            return []
        self._open.add(pair)
        try:
            return self._compare_alternatives(
                path, _alternatives(old, self.old_root), _alternatives(new, self.new_root)
            )
        finally:
            self._open.discard(pair)

    def _compare_alternatives(self, path: str, olds: list[Schema], news: list[Schema]) -> list[str]:
        problems: list[str] = []
        replaced = False
        for old in olds:
            candidates = [new for new in news if _takes(_kind(new), _kind(old))]
            if candidates:
                best = min((self._compare_one(path, old, new) for new in candidates), key=len)
                problems += best
            elif _kind(old) == "null":
                problems.append(_say(path, "null is no longer allowed"))
            else:
                others = " or ".join(_kind(new) for new in news if _kind(new) != "null") or "nothing"
                problems.append(_say(path, f"type changed from {_kind(old)} to {others}"))
                replaced = True
        if self.published and not replaced:
            problems += [
                _say(path, f"{_kind(new)} is now possible")
                for new in news
                if not any(_takes(_kind(old), _kind(new)) or _takes(_kind(new), _kind(old)) for old in olds)
            ]
        return problems

    def _compare_one(self, path: str, old: Schema, new: Schema) -> list[str]:
        problems: list[str] = []
        if self.published and not _takes(_kind(old), _kind(new)):
            problems.append(_say(path, f"type widened from {_kind(old)} to {_kind(new)}"))
        problems += self._values(path, old, new)
        problems += self._limits(path, old, new)
        problems += self._others(path, old, new)
        problems += self._object(path, old, new)
        for keyword, mark in (("items", "[]"), ("propertyNames", "{name}")):
            if keyword in old or keyword in new:
                problems += self.compare(path + mark, old.get(keyword, True), new.get(keyword, True))
        return problems

    def _values(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = _closed(old), _closed(new)
        if before is None and after is None:
            return
        if after is not None and before is None:
            yield _say(path, "only some values are allowed now")
        elif before is not None and after is None:
            if self.published:
                yield _say(path, "any value is possible now")
        elif before is not None and after is not None:
            for value in before:
                if value not in after:
                    yield _say(path, f"value {value!r} removed")
            if self.published:
                for value in after:
                    if value not in before:
                        yield _say(path, f"value {value!r} added, which readers of this version do not know")

    def _limits(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        for keywords, sign in ((_LOWER, 1), (_UPPER, -1)):
            for keyword in keywords:
                before, after = old.get(keyword), new.get(keyword)
                if before == after:
                    continue
                tighter = before is None or (after is not None and (after - before) * sign > 0)
                if tighter or self.published:
                    word = "tightened" if tighter else "loosened beyond what readers expect"
                    yield _say(path, f"{keyword} {word} ({_shown(before)} to {_shown(after)})")

    def _others(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        """Keywords whose values have no order, such as ``pattern`` and ``format``: any change counts."""
        for keyword in sorted((old.keys() | new.keys()) - _HANDLED):
            before, after = old.get(keyword), new.get(keyword)
            if before == after or keyword.startswith("x-"):
                continue
            if after in (None, False):
                if self.published:
                    yield _say(path, f"{keyword} removed, so that more is possible than readers expect")
            else:
                yield _say(path, f"{keyword} {'added' if before is None else 'changed'}")

    def _object(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        before: Schema = old.get("properties", {})
        after: Schema = new.get("properties", {})
        old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
        for name, schema in before.items():
            place = f"{path}.{name}" if path else name
            if name not in after:
                yield _say(place, "removed")
                continue
            yield from self.compare(place, schema, after[name])
            if name in new_required - old_required:
                yield _say(place, "required now, and was optional")
            elif name in old_required - new_required:
                if self.published:
                    yield _say(place, "optional now, and readers count on it")
            elif _default(schema) != _default(after[name]):
                yield _say(place, f"default changed from {_default(schema)} to {_default(after[name])}")
        for name in after:
            if name not in before:
                place = f"{path}.{name}" if path else name
                if name in new_required:
                    yield _say(place, "new and required")
                yield from self._added(place, old.get("additionalProperties", True), after[name])
        for name in sorted(new_required - after.keys() - old_required):
            yield _say(f"{path}.{name}" if path else name, "required now, and was optional")
        yield from self._additional(path, old, new)

    def _added(self, place: str, earlier: Any, now: Any) -> Iterable[str]:
        """A property that old schemas treat as an additional one."""
        if earlier is False:
            return [_say(place, "new, but readers of this version refuse unknown fields")] * self.published
        return [] if earlier in (True, {}) else self.compare(place, earlier, now)

    def _additional(self, path: str, old: Schema, new: Schema) -> Iterable[str]:
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if before == after:
            return []
        if after is False:
            return [_say(path, "unknown fields are refused now")]
        if before is False:
            return [_say(path, "unknown fields are possible now")] * self.published
        return self.compare(path + "{}", before, after)


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")] if part else target
        schema = {**target, **{name: value for name, value in schema.items() if name != "$ref"}}
    return schema


def _alternatives(schema: Any, root: Schema) -> list[Schema]:
    """What *schema* allows, as a list of schemas of one type each."""
    if isinstance(schema, bool):
        return [{}] if schema else []
    schema = _resolved(schema, root)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            rest = {name: value for name, value in schema.items() if name != keyword}
            return [
                one for branch in schema[keyword] for one in _alternatives(_merged(rest, branch, root), root)
            ]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": name} for name in schema["type"]]
    return [schema]


def _merged(rest: Schema, branch: Any, root: Schema) -> Any:
    return branch if isinstance(branch, bool) else {**rest, **_resolved(branch, root)}


_NAMES: Final[Mapping[type, str]] = {
    bool: "boolean", dict: "object", float: "number", int: "integer", list: "array", str: "string",
    type(None): "null",
}  # fmt: skip


def _kind(schema: Schema) -> str:
    if "type" in schema:
        return str(schema["type"])
    kinds = {_NAMES[type(value)] for value in _closed(schema) or ()}
    return kinds.pop() if len(kinds) == 1 else "anything"


def _takes(wide: str, narrow: str) -> bool:
    return wide in (narrow, "anything") or (wide, narrow) == ("number", "integer")


def _closed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _default(schema: Any) -> str:
    known = isinstance(schema, Mapping) and "default" in schema
    return json.dumps(schema["default"], sort_keys=True) if known else "none"


def _shown(limit: Any) -> str:
    return "none" if limit is None else str(limit)


__all__ = ["incompatibilities"]
