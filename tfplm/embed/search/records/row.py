"""Rows to be added to a search index, and the changes that adding them causes."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from tfplm.embed.search.records.records import Record

Existing = Literal["error", "replace", "skip", "update"]


class Row(NamedTuple):
    """A row. id None: a new one is assigned. text, payload None: unchanged (updates only)."""

    id: str | None
    text: str | None
    payload: dict | None


@dataclasses.dataclass
class Changes:
    """The changes that adding rows causes.

    fresh: rows to encode and write. payloads: slot -> payload of records with unchanged text. replaced: slots to erase.
    ids: of all rows, None if one must be assigned.
    """

    fresh: list[Row] = dataclasses.field(default_factory=list)
    payloads: dict[int, dict] = dataclasses.field(default_factory=dict)
    replaced: list[int] = dataclasses.field(default_factory=list)
    ids: list[str | None] = dataclasses.field(default_factory=list)


def rows_of(rows: Iterable, partial: bool = False) -> Iterator[Row]:
    """Converts texts, `(id, text)` or `(id, text, payload)` to `Row`. Raises TypeError or ValueError for anything else.

    partial: allows None for an unchanged text or payload.
    """
    if isinstance(rows, str):
        raise TypeError(f"expected a list of texts or of (id, text, payload), found one text: {rows[:40]!r}")
    for index, row in enumerate(rows):
        if isinstance(row, str):
            row = (None, row)
        if not isinstance(row, tuple | list) or not 2 <= len(row) <= 3:
            raise TypeError(f"row {index}: expected a text, (id, text) or (id, text, payload), found {row!r:.80}")
        name, text, payload = (*row, None)[:3]
        if not partial and payload is None:
            payload = {}
        for what, value, optional in (("id", name, not partial), ("text", text, partial)):
            if not (isinstance(value, str) or (optional and value is None)):
                raise TypeError(f"row {index}: the {what} is {value!r:.60}, expected a str")
        if payload is not None and not isinstance(payload, dict):
            raise TypeError(f"row {index}: the payload is {payload!r:.60}, expected a dict")
        if name == "":
            raise ValueError(f"row {index}: the id is empty; give a non-empty id, or None")
        try:
            "".join(part for part in (name, text, json.dumps(payload, ensure_ascii=False)) if part).encode("utf-8")
        except (TypeError, ValueError) as error:
            raise ValueError(f"row {index} cannot be stored ({error})") from None
        yield Row(name, text, payload)


def changes_of(rows: Sequence[Row], known: dict[str, Record], existing: Existing) -> Changes:
    """Determines the changes of adding rows to `known` records.

    Of several rows with the same id, the last one counts. Raises ValueError for existing or repeated ids if `existing`
    is "error", and KeyError for unknown ids if it is "update".
    """
    if existing not in ("error", "replace", "skip", "update"):
        raise ValueError(f"existing is {existing!r}, expected 'error', 'replace', 'skip' or 'update'")
    names = [row.id for row in rows if row.id is not None]
    if existing == "error":
        seen = set(known)
        for name in names:
            if name in seen:
                raise ValueError(f"the id {name!r} is in the index already, or twice among the rows: give another one, "
                                 "or use existing='replace'")
            seen.add(name)
    if existing == "update" and (missing := sorted({name for name in names if name not in known})):
        raise KeyError(f"{len(missing)} ids are not in the index: {', '.join(missing[:5])}")
    last = {row.id: row for row in rows if row.id is not None}
    changes = Changes(ids=[row.id for row in rows])
    for row in rows:
        old = known.get(row.id)
        if row.id is not None and last[row.id] is not row:
            continue
        if old is None:
            changes.fresh.append(row)
        elif existing == "skip":
            continue
        elif old.text != row.text:
            changes.fresh.append(row)
            changes.replaced.append(old.slot)
        elif old.payload != row.payload:
            changes.payloads[old.slot] = row.payload
    return changes
