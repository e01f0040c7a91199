"""The five papers and further sources, their statements, and the slips found, read from data.

The catalogue is held against these lists: `inertial.theory.catalog` covers every label, and no
other.
"""

import tomllib
from importlib.resources import files
from typing import NamedTuple


class Source(NamedTuple):
    """A paper: how it is cited, its title, and where it can be read."""

    label: str
    title: str
    url: str


class Slip(NamedTuple):
    """A misprint or an error: where it stands, what is printed, what is right."""

    where: str
    printed: str
    corrected: str


_DATA = tomllib.loads(files("inertial.theory").joinpath("statements.toml").read_text("utf-8"))

SOURCES: tuple[Source, ...] = tuple(Source(**source) for source in _DATA["source"])
"""The five papers and the sources of what goes beyond them, with links."""

STATEMENTS: dict[str, str] = _DATA["statements"]
"""Numbered statements by label, each in one sentence."""

SLIPS: dict[str, Slip] = {key: Slip(**slip) for key, slip in _DATA["slips"].items()}
"""Slips by label."""
