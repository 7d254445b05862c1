"""A Label Studio as the backend and the worker see it, in this process."""
