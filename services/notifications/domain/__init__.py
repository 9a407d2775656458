"""The rules of messages and reminders. Standard library only: no database, no events, no clock."""
