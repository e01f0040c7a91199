"""Damaged and hostile input at every door, made from seeds: ``python -m tests.fuzz DOOR``."""
