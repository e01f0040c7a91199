"""Studies: many runs from one TOML file, each computed once and stored on its own.

`config` says what to run, `job` gives every run its identity, `execution` computes one, `records`
and `locks` keep the folder, `cost` predicts time, memory and disk, `runner` does what is missing in
this process and `cluster` on several.
"""
