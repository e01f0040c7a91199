"""Damage that any file may have, and values that nobody expects in a document."""

import numpy as np


def damaged(rng: np.random.Generator, content: bytes) -> bytes:
    """Flip, cut, repeat, insert or replace bytes."""
    data = bytearray(content)
    for _ in range(int(rng.choice([0, 0, 1, 1, 2, 3]))):
        at = int(rng.integers(len(data) + 1))
        length = int(rng.integers(1, 1 + max(1, len(data) // 4)))
        match int(rng.integers(6)):
            case 0 if at < len(data):
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                del data[at:]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                data[at:at] = rng.bytes(min(length, 64))
            case 4:
                data[at : at + length] = b"\xff" * length
            case _:
                del data[at : at + length]
    return bytes(data)


VALUES = [
    None, True, False, 0, 1, -1, 2, 1.5, -0.0, 1e308, 5e-324, 10**30, -(10**30), 2**31, 2**63, 10**400,
    float("nan"), float("inf"), "", "x", "nan", "é\u202e", "\x1b[2J", "\0", "\ud800", "a" * 5000,
    "<script>alert(1)</script>", "$(id)", "../../x", "/dev/zero", "~/x", "=1+1", "{x}", "%s", "\\input{x}",
    [], {}, [[]], [None], {"": None}, [1, "x"], [1e308] * 3, {"a": {"b": {"c": []}}},
]  # fmt: skip
"""What an edited document may say anywhere."""

_LARGEST = 1e300
"""Numbers above it are not multiplied."""


def edited(rng: np.random.Generator, document: object) -> object:
    """Return a document with some of its entries replaced, removed, repeated or renamed."""
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        places = list(_places(document))
        if not places:
            return VALUES[int(rng.integers(len(VALUES)))]
        parent, key = places[int(rng.integers(len(places)))]
        others = [other for other, _ in places if other is not parent]
        match int(rng.integers(8)):
            case 0:
                del parent[key]
            case 1 if isinstance(parent, list):
                parent.append(parent[key])
            case 1:
                parent[f"{key}x"] = parent.pop(key)
            case 2 if others and isinstance(parent[key], int | float | str | None):
                other, its = places[int(rng.integers(len(places)))]
                if not isinstance(other[its], dict | list):
                    parent[key] = other[its]
            case 3 if isinstance(parent[key], int | float) and abs(parent[key]) < _LARGEST:
                parent[key] = parent[key] * int(rng.choice([-1, 0, 2, 1000]))
            case _:
                parent[key] = VALUES[int(rng.integers(len(VALUES)))]
    return document


def _places(document: object):
    """Yield every (container, key) of a document."""
    if isinstance(document, dict | list):
        for key in list(document) if isinstance(document, dict) else range(len(document)):
            yield document, key
            yield from _places(document[key])
