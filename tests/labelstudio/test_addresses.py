import ipaddress
import socket
import threading
import time
from typing import Any

import httpcore
import pytest

from labelstudio.addresses import AddressRules, ForbiddenAddressError, PinnedBackend, is_public
from labelstudio.connection import Origin

OWN = Origin("http", "studio.internal", 8080)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::", "fd00:ec2::254",
        "::127.0.0.1", "::10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "2001:0:7f00:1::", "fec0::1", "5f00::1",
        "fe80::5efe:7f00:1", "2001:db8::1", "3fff::1", "100::1", "::ffff:169.254.169.254", "2002:c0a8:101::",
        "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.51.100.1", "203.0.113.1", "240.0.0.1", "0.1.2.3",
    ],
)  # fmt: skip
def test_private_addresses_in_all_their_clothes(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Every name has these addresses; returns the names that were asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "017700000001", "127.1", "localhost", "127.0.0.1", "0177.0.0.1", "0x7f.1",
        "127.0.1", "0", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "0:0:0:0:0:ffff:7f00:1",
        "::127.0.0.1", "[::1]", "localhost.",
    ],
)  # fmt: skip
def test_every_way_to_write_loopback_is_refused(host: str) -> None:
    with pytest.raises((ForbiddenAddressError, socket.gaierror)) as refused:
        AddressRules(OWN, ["*"]).resolve(host, 80)
    # Systems differ in which forms they resolve; one that resolves nowhere leads nowhere.
    assert isinstance(refused.value, socket.gaierror) or "private address" in str(refused.value)


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "8.8.8.8", "127.0.0.1")
    with pytest.raises(ForbiddenAddressError):
        AddressRules(OWN, ["*"]).resolve("img.example.com", 443)


def test_label_studio_itself_may_be_private_but_only_on_its_own_port(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "10.1.2.3")
    rules = AddressRules(OWN, ["*"])
    assert rules.resolve("studio.internal", 8080) == ["10.1.2.3"]
    with pytest.raises(ForbiddenAddressError):
        rules.resolve("studio.internal", 6379)


def test_names_on_the_allow_list() -> None:
    rules = AddressRules(OWN, ["img.example.com", "*.cdn.example.com"])
    for host in ("img.example.com", "a.cdn.example.com", "IMG.example.com"):
        rules.check_name(Origin("https", host, 443))
    rules.check_name(OWN)
    for host in ("example.com", "img.example.com.evil.com", "evilimg.example.com", "cdn.example.com"):
        with pytest.raises(ForbiddenAddressError, match="TAGLOOM_IMAGE_HOSTS"):
            rules.check_name(Origin("https", host, 443))
    with pytest.raises(ForbiddenAddressError):
        rules.check_name(Origin("https", "studio.internal", 443))


def test_a_name_is_resolved_once_and_the_socket_opens_to_what_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the second answer would be private, but nobody asks a second time."""
    answers = [["8.8.8.8"], ["127.0.0.1"]]
    asked = []
    opened = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers[len(asked) - 1]]

    def connect(_self: Any, host: str, port: int, *_: Any) -> Any:
        opened.append((host, port))
        raise httpcore.ConnectError("not in a test")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with pytest.raises(httpcore.ConnectError):
        PinnedBackend(AddressRules(OWN, ["*"])).connect_tcp("img.example.com", 80)
    assert asked == ["img.example.com"]
    assert opened == [("8.8.8.8", 80)]


def test_dripping_bytes_end_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stop = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                while not stop.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        network = PinnedBackend(AddressRules(Origin("http", "127.0.0.1", port), []))
        began = time.monotonic()
        stream = network.connect_tcp("127.0.0.1", port, timeout=5)
        with network.deadline(0.4), pytest.raises(httpcore.ReadTimeout):
            list(iter(lambda: stream.read(1, timeout=5), b""))
        assert time.monotonic() - began < 2
        stop.set()
        stream.close()
        thread.join()
