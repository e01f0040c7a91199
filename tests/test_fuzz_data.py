"""A few hundred of the damaged and hostile data files; `fuzz/data_files.py` makes any number."""

from fuzz.data_files import run


def test_damaged_files_are_read_or_refused_in_one_sentence():
    counts, faults = run(first=0, count=300)
    assert faults == []
    # The damage leaves some files whole and makes others unreadable, so both happen often.
    assert counts["read"] > 50
    assert counts["refused"] > 50
