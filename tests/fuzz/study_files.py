"""Studies as TOML files: mutated text, and values that nobody expects."""

import re
from pathlib import Path

import numpy as np

from fuzz.damage import damaged
from inertial.runs.config import TEMPLATE, read_config

VALUES = [
    "", "0", "-1", "1.5", "nan", "inf", "-inf", "1e400", "true", '""', '"x"', "'x'", "[]", "{}", "[[]]",
    "[1, [2]]", '["a", 1]', "9" * 30, "9" * 5000, "0x" + "f" * 5000, "[" * 500 + "]" * 500, "{a=" * 200,
    "1979-05-27T07:32:00Z", "07:32:00", '"\\u202e"', '"\\u001b[2J"', '"""\n"""', "[{}]", '[{name=""}]',
    '[{name="digits", rows=1e9}]', '[{name="digits", seed=99999999999999999999}]', '["nonsense"]',
    '["/dev/zero"]', '["a", "a"]', '[{name="x", label=3}]', '[{name="x", keep=["a"]}]', '"' + "x" * 5000 + '"',
    '["forecast", "papr"]', "[0, 0]", "[-1]", "[99999999999999999999]", "[2147483648]", "1_000", "+1",
]  # fmt: skip
"""What may stand behind an equals sign."""

KEYS = [
    "name", "data", "methods", "rules", "widths", "seeds", "steps", "target", "precision", "width", "",
    "é", '"a b"', "x" * 5000, "a.b.c", "name.x", "data.name", "[data]", "[[data]]", "[x", "__class__",
]  # fmt: skip


def made(seed: int) -> bytes:
    """Return the text that belongs to a seed."""
    rng = np.random.default_rng(seed)
    text = TEMPLATE
    for _ in range(int(rng.integers(0, 4))):
        found = list(re.finditer(r"^(\w+) = (.*)$|(\w+) = ([\w.\"]+)", text, re.MULTILINE))
        value = str(rng.choice(np.array(VALUES, dtype=object)))
        key = str(rng.choice(np.array(KEYS, dtype=object)))
        if not found or rng.random() < 0.2:
            text += f"{key} = {value}\n"
            continue
        one = found[int(rng.integers(len(found)))]
        part = 2 if one[1] else 4
        if rng.random() < 0.75:
            text = text[: one.start(part)] + value + text[one.end(part) :]
        else:
            text = text[: one.start(part - 1)] + key + text[one.end(part - 1) :]
    codec = str(rng.choice(["utf-8", "utf-8-sig", "utf-16", "latin-1"], p=[0.9, 0.04, 0.03, 0.03]))
    content = text.encode(codec, errors="replace")
    return content if rng.random() < 0.6 else damaged(rng, content)


def prepare(_: Path) -> None:
    """Nothing is shared."""


def attempt(seed: int, folder: Path, _: None) -> None:
    """Read the study of a seed."""
    path = folder / "study.toml"
    path.write_bytes(made(seed))
    read_config(path)
