"""What the bodies of HTTP requests have in common: types of fields, and JSON that comes as a form."""

import json
import urllib.parse
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictInt, StrictStr

# JSON has one kind of numbers: 3.0 is an integer, but true and "3" are not
Integer = Annotated[StrictInt, BeforeValidator(lambda value: int(value) if isinstance(value, float)
                                               and value.is_integer() else value)]
Text = Annotated[StrictStr, Field(max_length=1_000_000)]
Texts = Annotated[list[Text], Field(min_length=1)]
Tokens = Annotated[list[StrictStr], Field(min_length=1)]
TokenIds = Annotated[list[Annotated[Integer, Field(ge=0)]], Field(min_length=1)]

FORM = "application/x-www-form-urlencoded"
FIELDS = 1 << 20  # of a form, at most
_TRUTH = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False, "": False}


def as_json(scope: dict, body: bytes) -> tuple[dict, bytes]:
    """The scope and the body of a request as JSON. ValueError for a form that cannot be read.

    `curl -d` calls JSON a form, and pages of other sites plain text, for which browsers do not ask the server first.
    """
    kind = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if kind not in (FORM, "text/plain"):
        return scope, body
    if kind == FORM and not body.lstrip().startswith(b"{"):
        body = json.dumps(_read_form(body)).encode()
    return {**scope, "headers": [each for each in scope["headers"] if each[0] not in (b"content-type", b"content-length")]
            }, body


def _read_form(body: bytes) -> dict:
    """`id=1&texts=a&texts=b&is_tokenized=false`: all values of `texts`, which are a list, and of what is repeated."""
    fields = urllib.parse.parse_qs(body.decode(), keep_blank_values=True, max_num_fields=FIELDS, errors="strict")
    found: dict[str, Any] = {name: values if name == "texts" or len(values) > 1 else values[0]
                             for name, values in fields.items()}
    if isinstance(truth := found.get("is_tokenized"), str):
        found["is_tokenized"] = _TRUTH.get(truth, truth)
    return found
