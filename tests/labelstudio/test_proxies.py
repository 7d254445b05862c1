"""Pictures and the API through a real proxy on this machine, and the hosts that are never asked through it."""

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from labelstudio import addresses
from labelstudio.api import LabelStudioClient
from labelstudio.connection import Connection, Origin
from labelstudio.decoding import ImageUnavailableError
from labelstudio.images import ImageFetcher
from labelstudio.proxies import Proxies, Proxy
from labelstudio.tasks import ItemReference
from tagloom_base.errors import UserError
from tests.labelstudio.proxy import SmallProxy, certificate
from tests.labelstudio.studio import LEGACY, Studio

HOST = "img.example.com"
STUDIO = "label.example.com"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

Set = Callable[..., None]


@pytest.fixture
def set_proxies(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Sets variables of the environment, after all that name proxies are gone."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def set_all(**named: str) -> None:
        for name, value in named.items():
            monkeypatch.setenv(name.upper(), value)

    return set_all


@pytest.fixture
def proxy(set_proxies: Set, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallProxy]:
    """The proxy of both schemes; this machine looks up no names, as behind many proxies."""
    known = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        if str(host).endswith("example.com"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with SmallProxy() as made:
        set_proxies(http_proxy=f"http://{made.host}", https_proxy=f"http://{made.host}")
        yield made


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls"), HOST)


def size_of(place: str, url: str = "", **options: Any) -> tuple[int, int]:
    """Fetch a picture and return its size."""
    client = LabelStudioClient(Connection(url=url, token=SecretStr(LEGACY)))
    fetcher = ImageFetcher(client, **{"allowed_hosts": [HOST], **options})
    try:
        return fetcher.fetch(ItemReference(place)).size
    finally:
        fetcher.close()
        client.close()


def refusal(place: str, **options: Any) -> ImageUnavailableError:
    with pytest.raises(ImageUnavailableError) as refused:
        size_of(place, **options)
    return refused.value


def test_a_listed_host_is_asked_through_the_proxy(proxy: SmallProxy) -> None:
    with Studio(is_open=True) as pictures:
        proxy.hosts = {f"{HOST}:80": pictures.port}
        assert size_of(f"http://{HOST}/a b.png") == (320, 240)
        assert pictures.requests == [("/a%20b.png", None)]
    assert proxy.requests == [("GET", f"http://{HOST}/a%20b.png", None)]


def test_https_goes_through_a_tunnel_and_the_certificate_is_checked(
    proxy: SmallProxy, tls: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Studio(is_open=True, tls=tls[1]) as pictures:
        proxy.hosts = {f"{HOST}:443": pictures.port}
        assert "cannot be reached" in str(refusal(f"https://{HOST}/a.png"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tls[0]))
        assert size_of(f"//{HOST}/a.png") == (320, 240)
        assert [path for path, _ in pictures.requests] == ["/a.png"]
    assert {request[:2] for request in proxy.requests} == {("CONNECT", f"{HOST}:443")}


def test_http_is_redirected_to_https(
    proxy: SmallProxy, tls: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[0]))
    with Studio(is_open=True) as plain, Studio(is_open=True, tls=tls[1]) as secure:
        plain.redirects = {"/a.png": f"https://{HOST}/b.png"}
        proxy.hosts = {f"{HOST}:80": plain.port, f"{HOST}:443": secure.port}
        assert size_of(f"http://{HOST}/a.png") == (320, 240)
        assert [path for path, _ in secure.requests] == ["/b.png"]


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example.com/a.png", "https://evil.example.com/a.png", "//evil.example.com/a.png", "http://10.0.0.1/",
        "http://169.254.169.254/latest/", "http://127.0.0.1/", "http://localhost/", "http://metadata/", "http://[::1]/",
        "http://2130706433/", "http://0x7f.1/", "http://127.1/",
    ],
)  # fmt: skip
def test_a_redirect_leads_through_the_proxy_to_listed_hosts_only(proxy: SmallProxy, target: str) -> None:
    with Studio(is_open=True) as pictures:
        pictures.redirects = {"/a.png": target}
        proxy.hosts = {f"{HOST}:80": pictures.port}
        refusal(f"http://{HOST}/a.png", allowed_hosts=["*", HOST])
        refusal(f"http://{HOST}/a.png")
    assert {request[1] for request in proxy.requests} == {f"http://{HOST}/a.png"}


@pytest.mark.parametrize("pattern", ["*", "*.*", "*.com", "*.example.com"])
def test_stars_alone_list_no_host_behind_a_proxy(proxy: SmallProxy, pattern: str) -> None:
    with Studio(is_open=True) as pictures:
        proxy.hosts = {f"{HOST}:80": pictures.port}
        if "com" in pattern:
            assert size_of(f"http://{HOST}/a.png", allowed_hosts=[pattern]) == (320, 240)
        else:
            assert "name it in TAGLOOM_IMAGE_HOSTS" in str(refusal(f"http://{HOST}/a.png", allowed_hosts=[pattern]))
            assert proxy.requests == []


def test_a_listed_name_that_is_known_here_as_private_is_not_asked_through_the_proxy(
    proxy: SmallProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: private)
    assert "private address" in str(refusal(f"http://{HOST}/a.png"))
    assert proxy.requests == []


def test_an_unknown_name_is_looked_up_once(proxy: SmallProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = addresses.AddressRules(None, [HOST])
    asked: list[str] = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for _ in range(3):
        rules.check_through_proxy(Origin("https", HOST, 443))
    assert asked == [HOST]


def test_no_proxy_names_hosts_that_are_asked_without_it(
    proxy: SmallProxy, set_proxies: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_proxies(http_proxy=f"http://{proxy.host}", no_proxy=f"other.com,.{HOST.partition('.')[2]}")
    known = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: known("127.0.0.1", *rest, **more))
    monkeypatch.setattr(addresses, "is_public", lambda _: True)  # no public host can be had here
    with Studio(is_open=True) as pictures:
        assert size_of(f"http://{HOST}:{pictures.port}/a.png") == (320, 240)
    assert proxy.requests == []


def test_without_a_proxy_http_is_redirected_to_https_too(
    set_proxies: Set, tls: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_proxies(ssl_cert_file=str(tls[0]))
    known = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: known("127.0.0.1", *rest, **more))
    monkeypatch.setattr(addresses, "is_public", lambda _: True)  # no public host can be had here
    with Studio(is_open=True) as plain, Studio(is_open=True, tls=tls[1]) as secure:
        plain.redirects = {"/a.png": f"https://{HOST}:{secure.port}/b.png", "/c.png": "https://evil.example.com/b.png"}
        assert size_of(f"http://{HOST}:{plain.port}/a.png") == (320, 240)
        assert "not allowed" in str(refusal(f"http://{HOST}:{plain.port}/c.png"))
        assert [path for path, _ in secure.requests] == ["/b.png"]


def test_label_studio_and_its_pictures_are_asked_the_same_way(proxy: SmallProxy) -> None:
    with Studio() as studio:
        studio.projects = {2: "2026-11-01T00:00:00Z"}
        proxy.hosts = {f"{STUDIO}:80": studio.port}
        for url, count in ((f"http://{STUDIO}", 2), (studio.url, 0)):
            proxy.requests.clear()
            assert size_of("/data/upload/2/a.png", url) == (320, 240)
            client = LabelStudioClient(Connection(url=url, token=SecretStr(LEGACY)))
            assert client.project(2)["id"] == 2
            client.close()
            assert len(proxy.requests) == count
            assert {header for _, _, header in proxy.requests} <= {f"Token {LEGACY}"}


def test_the_token_does_not_leave_with_a_redirect(proxy: SmallProxy) -> None:
    with Studio() as studio, Studio(is_open=True) as pictures:
        studio.redirects = {"/a.png": f"http://{HOST}/b.png"}
        proxy.hosts = {f"{STUDIO}:80": studio.port, f"{HOST}:80": pictures.port}
        assert size_of("/a.png", f"http://{STUDIO}") == (320, 240)
        assert pictures.requests == [("/b.png", None)]


def test_a_proxy_that_asks_for_a_password_gets_it_and_only_the_proxy(set_proxies: Set, proxy: SmallProxy) -> None:
    with SmallProxy("me:p@ss word") as guarded, Studio(is_open=True) as pictures:
        guarded.hosts = {f"{HOST}:80": pictures.port}
        set_proxies(http_proxy=f"http://{guarded.host}", https_proxy=f"http://{guarded.host}")
        for scheme in ("http", "https"):
            answer = refusal(f"{scheme}://{HOST}/a.png")
            assert "the proxy refuses to ask img.example.com (407)" in str(answer)
            assert not answer.permanent
        set_proxies(http_proxy=f"me:p%40ss%20word@{guarded.host}")
        assert size_of(f"http://{HOST}/a.png") == (320, 240)


def test_a_host_that_the_proxy_does_not_allow_is_told(proxy: SmallProxy) -> None:
    answer = refusal(f"https://{HOST}/a.png")
    assert "the proxy refuses to ask img.example.com (403)" in str(answer)
    assert "NO_PROXY" in str(answer)
    assert not answer.permanent


def test_which_hosts_have_a_proxy(set_proxies: Set) -> None:
    assert Proxies().of(Origin("https", HOST, 443)) is None
    set_proxies(all_proxy="http://a.example:1", https_proxy="b.example:2", no_proxy="none.com,port.com:8443")
    found = Proxies()
    assert found.of(Origin("http", HOST, 80)) == Proxy("http://a.example:1")
    assert found.of(Origin("https", HOST, 443)) == Proxy("http://b.example:2")
    for host in ("127.0.0.1", "::1", "8.8.8.8", "localhost", "a.localhost", "studio", "x.none.com", "127.1", "0x7f.1"):
        assert found.of(Origin("https", host, 443)) is None, host
    assert found.of(Origin("https", "port.com", 8443)) is None
    assert found.of(Origin("https", "port.com", 443)) is not None


@pytest.mark.parametrize("url", ["socks5://me:hidden-word@a.example:1", "http://:3128", "http://a.example:port"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(set_proxies: Set, url: str) -> None:
    set_proxies(https_proxy=url)
    with pytest.raises(UserError, match="HTTPS_PROXY") as refused:
        Proxies()
    assert "hidden-word" not in str(refused.value)
