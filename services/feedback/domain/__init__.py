"""Rows and decisions of *feedback*: the standard library only, and nothing that waits.

A decision takes rows and the present time and gives the next rows, or a refusal. It reads no clock and no
database, so each rule is one function with one test.
"""
