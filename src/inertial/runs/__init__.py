"""Runs: advice before them, comparisons and studies of them, and where they are stored."""
