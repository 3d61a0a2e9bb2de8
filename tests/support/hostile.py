"""What foreign data can be: hypothesis strategies, for every reader of what others wrote."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

# With lone surrogates, which JSON can write and UTF-8 cannot.
TEXTS = st.text(st.characters(), max_size=40)
TIMES = st.sampled_from(
    [
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "2026-11-22T09:40:00.1234567890Z",
        "20261122",
        "2026-W47-7",
        "",
        "9" * 5000,
        "٢٠٢٦-11-22",
    ]
)
DIGITS = st.sampled_from(["0", "-1", "1795340400123", "1e9", "9" * 400, "9" * 5000, "٣", "nan", ""])
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 2**63, 253_402_300_800, -62_135_596_801, 1e308, True]),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TIMES, TEXTS)


def nested(depth: int, *, of_objects: bool = False) -> Any:
    """A list in a list, and so on, or an object in an object."""
    found: Any = []
    for _ in range(depth):
        found = {"a": found} if of_objects else [found]
    return found


VALUES = st.one_of(
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=6,
    ),
    st.builds(nested, st.sampled_from([50, 300]), of_objects=st.booleans()),
)
# What DynamoDB has: 38 digits, and exponents as far as 125.
DYNAMODB_NUMBERS = st.sampled_from(
    ["0", "-1", "0.5", "1E+125", "-9.9E+125", "9" * 38, "253402300800", "1E-130"]
)
ATTRIBUTES = st.one_of(
    st.builds(lambda number: {"N": number}, DYNAMODB_NUMBERS),
    st.builds(lambda text: {"S": text}, st.text(max_size=40) | TIMES),
    st.sampled_from(
        [{"NULL": True}, {"BOOL": False}, {"L": []}, {"M": {}}, {"SS": ["a"]}, {"B": b"a"}]
    ),
)


@st.composite
def spoilt(draw: Any, examples: list[Any], values: Any = VALUES) -> Any:
    """One of the examples with some of its parts, at any depth, replaced or left out."""
    document = copy.deepcopy(draw(st.sampled_from(examples)))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(document))
        if not places:
            break
        parent, name = draw(st.sampled_from(places))
        if isinstance(parent, dict) and draw(st.booleans()):
            del parent[name]
        else:
            parent[name] = draw(values)
    return document


def texts_of(documents: Any) -> Any:
    """Texts: documents as JSON, such as are cut short, and such as are no JSON at all."""
    whole = documents.map(json.dumps)
    # Deeper than any parser goes.
    deep = st.sampled_from(["[" * 3000, '{"a":' * 3000, "1" * 5000, "[1e999]", "\ufeff{}"])
    cut = st.builds(lambda text, at: text[:at], whole, st.integers(0, 200))
    return st.one_of(whole, whole, cut, deep, TEXTS)


def _places(document: Any) -> Any:
    items: Any = document.items() if isinstance(document, dict) else ()
    if isinstance(document, list):
        items = enumerate(document)
    for name, value in items:
        yield document, name
        yield from _places(value)
