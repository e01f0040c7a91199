"""`inertial doctor`: versions, devices, threads, and which data is found where."""

import os
import platform
from pathlib import Path

from inertial import _json
from inertial.commands.data import place_of
from inertial.commands.terminal import console, write


def doctor(*, data_dir: Path | None = None, json: bool = False) -> None:
    """Show versions, devices, threads, and which data is found where.

    Parameters
    ----------
    data_dir
        Folder to look in first for data.
    json
        Print one JSON document instead.
    """
    import jax

    from inertial.data import catalog
    from inertial.runs import store

    facts = store.environment()
    document = {
        **facts,
        "devices": [str(device) for device in jax.devices()],
        "threads": {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "XLA_FLAGS")},
        "INERTIAL_DATA": os.environ.get("INERTIAL_DATA"),
        "data": {source.name: place_of(source.name, data_dir) for source in catalog()},
    }
    if json:
        write(_json.dumps(document))
        return
    out = console()
    versions = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    out.print(f"Python   {platform.python_version()} on {facts['machine']['system']}")
    out.print(f"packages {versions}")
    out.print(f"commit   {facts['commit'] or 'an installed package'}")
    out.print(f"devices  {', '.join(document['devices'])}")
    threads = ", ".join(f"{k}={v}" for k, v in document["threads"].items() if v) or "all of them"
    out.print(f"threads  {facts['machine']['cores']} cores usable; {threads}")
    for name, place in document["data"].items():
        out.print(f"data     {name:<14} {place or 'to download: inertial data fetch ' + name}")
