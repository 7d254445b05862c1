"""A taken port is found before anything is started."""

import socket

import pytest

from tagloom_base.errors import UserError
from tools.services.ports import free_port, require_free


def test_a_taken_port_names_itself_and_the_way_out() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} .* TAGLOOM_PORT=") as refusal:
            require_free(port, "127.0.0.1", "TAGLOOM_PORT")
    assert "\n" not in str(refusal.value)


def test_a_free_port_is_accepted() -> None:
    require_free(free_port(), "127.0.0.1", "TAGLOOM_PORT")
