"""Speed and memory as ratios within one run; see docs/benchmarks.md."""
