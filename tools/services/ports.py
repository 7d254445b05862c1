"""TCP ports on this machine."""

import socket

from tagloom_base.errors import UserError


def require_free(port: int, host: str, variable: str) -> None:
    """Raise UserError when the port is in use. The message says to choose another one with ``variable``."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        # Connections in TIME_WAIT, of a server that has just ended, do not make the port unusable.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as taken:
            raise UserError(
                f"port {port} on {host} can't be used ({taken.strerror}): "
                f"stop what listens there, or choose another one with {variable}={port + 1}"
            ) from taken


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that no process listens on now."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port
