"""The main job: several methods on one data set, the truth beside the forecast."""

from inertial.comparison.run import Comparison, StabilityWarning, compare
from inertial.comparison.settings import COMPANIONS, Settings
from inertial.comparison.summary import Summary

__all__ = [
    "COMPANIONS",
    "Comparison",
    "Settings",
    "StabilityWarning",
    "Summary",
    "compare",
]
