"""Errors for a person: one line that says what is wrong and what to do."""


class UserError(Exception):
    """An error that the operator can correct. The message says how, and no traceback is shown."""


class UsageError(UserError):
    """A command was called with words that cannot be meant. The message says how to call it."""
