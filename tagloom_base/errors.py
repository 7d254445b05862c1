"""Errors that are meant for a person: one line that says what is wrong and what to do."""


class UserError(Exception):
    """Something the operator can put right. The message names the fix; no traceback is shown."""
