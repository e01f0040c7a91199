"""JSON for programs in other languages: what has no number there is null."""

import json
import math
from typing import Any


def finite(value: Any) -> Any:  # noqa: ANN401 - any document
    """Replace NaN and infinity, which JSON does not know, by null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def dumps(document: Any) -> str:  # noqa: ANN401 - any document
    """Write a document, readable and with a line's end."""
    return json.dumps(finite(document), indent=2, allow_nan=False) + "\n"
