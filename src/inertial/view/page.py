"""Self-contained pages: one file, no network, everything from users' files escaped.

A page is a Jinja template with one style sheet, one script and one JSON document inside.  Its
Content-Security-Policy names the hashes of the style and the script and forbids everything else, so
that nothing else runs, and nothing is ever fetched or sent.
"""

import base64
import hashlib
import math
from collections.abc import Iterable
from functools import cache
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from jaxtyping import Float
from jinja2 import Environment, PackageLoader, StrictUndefined

from inertial._checks import significant
from inertial._json import finite
from inertial.runs.ranking import percent_left

_DASH = "–"

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_DIGITS = 1e6
"""Numbers below this are written out where their digits are whole."""


def render(template: str, scripts: Iterable[str], document: Any, **context: Any) -> str:  # noqa: ANN401
    """Fill a template.

    Parameters
    ----------
    template
        Name of the HTML template; it extends ``base.html``.
    scripts
        Names of the JavaScript files, in their order.
    document
        What the script reads: plain values; NaN and infinity become null.
    context
        What the template reads; text is escaped.

    """
    environment = _environment()
    style = _source("style.css")
    script = "\n".join(_source(name) for name in scripts)
    return environment.get_template(template).render(
        style=style,
        script=script,
        policy=policy(style, script),
        document=finite(document),
        **context,
    )


def policy(style: str, script: str | None = None, images: str = "data:") -> str:
    """Return the Content-Security-Policy of a page with this style sheet and this script.

    `images` is where pictures may come from; nothing else is loaded, run or sent.
    """

    def hashed(text: str) -> str:
        digest = hashlib.sha256(text.encode("utf-8")).digest()
        return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"

    code = "'none'" if script is None else hashed(script)
    return (
        f"default-src 'none'; script-src {code}; style-src {hashed(style)}; img-src {images}; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def packed(values: Float[np.ndarray, "..."]) -> dict[str, Any]:
    """Pack numbers as base64 of little-endian float64, which the page reads back bit by bit."""
    data = np.ascontiguousarray(values, dtype="<f8")
    return {"shape": list(data.shape), "float64": base64.b64encode(data.tobytes()).decode("ascii")}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("inertial.view"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Written as `tojson`, which escapes <, >, & and ' too: no text can leave its element.
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    environment.filters["number"] = _number
    environment.filters["place"] = _place
    environment.filters["left_of"] = percent_left
    return environment


def _source(name: str) -> str:
    environment = _environment()
    if environment.loader is None:
        raise ValueError("the environment has no loader")
    return environment.loader.get_source(environment, name)[0].strip()


def _place(source: str) -> str:
    """Return where data are from as a page names it: of a file its name, and not its folders."""
    paths = (PurePosixPath(source), PureWindowsPath(source))
    return next((path.name for path in paths if path.is_absolute()), source)


def _number(value: float | None, digits: int = 4) -> str:
    """Format a number for reading; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return _DASH
    if float(value).is_integer() and abs(value) < _MOST_DIGITS:
        return f"{value:,.0f}".replace("-", "−")
    rounded = float(f"{value:.{digits}g}")
    if rounded.is_integer() and 1000 <= abs(rounded) < _MOST_DIGITS:
        return f"{rounded:,.0f}".replace("-", "−")
    text = significant(value, digits) if abs(rounded) < _MOST_DIGITS else f"{value:.{digits}g}"
    front, _, exponent = text.replace("-", "−", 1 if value < 0 else 0).partition("e")
    if not exponent:
        return front
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return f"{front[:-1]}{power}" if front in {"1", "−1"} else f"{front}·{power}"
