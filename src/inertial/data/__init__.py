"""Inputs and targets of an experiment: named sets and files of one's own."""

from inertial.data.loading import Data, Provenance, load, reload
from inertial.data.lookup import Location, fetch, given_folder, locate
from inertial.data.parallel import antiparallel_rows, parallel_rows
from inertial.data.sources import Source, catalog

__all__ = [
    "Data",
    "Location",
    "Provenance",
    "Source",
    "antiparallel_rows",
    "catalog",
    "fetch",
    "given_folder",
    "load",
    "locate",
    "parallel_rows",
    "reload",
]
