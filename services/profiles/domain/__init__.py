"""The rules of *profiles*: rows as frozen dataclasses and pure decisions. Standard library only."""
