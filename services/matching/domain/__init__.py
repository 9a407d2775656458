"""Rows and decisions of *matching*. Standard library only; a decision never looks at a clock or a table."""
