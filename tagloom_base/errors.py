"""Errors for a person: one line that says what is wrong and what to do."""


class UserError(Exception):
    """An error that the operator can correct. The message says how, and no traceback is shown."""
