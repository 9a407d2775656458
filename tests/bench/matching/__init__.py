"""The engine beside other solvers: one run, one table (``make bench-matching``)."""
