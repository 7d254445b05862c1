"""TCP ports on this machine."""

import socket


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that no process listens on now."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port
