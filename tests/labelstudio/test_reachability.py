"""Each way in which a Label Studio's URL may be wrong has a sentence of its own, with the fix."""

import re
import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.connection import Connection
from labelstudio.images import ImageFetcher
from labelstudio.reachability import trusted, unanswered
from labelstudio.tasks import ItemReference
from tagloom_base.errors import UserError
from testing.pictures import png
from tests.web import certificate, served
from tools.services.ports import free_port

HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}
ONE_PROJECT = b'{"results": [{"id": 1}], "next": null}'
PERSONAL = "head.body.signature"


@pytest.fixture(autouse=True)
def _own_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def refusal(url: str, *, name: str = "default", token: str = "legacy") -> str:
    client = LabelStudioClient(Connection(name, url, SecretStr(token)), timeout=5)
    try:
        with pytest.raises(LabelStudioError) as refused:
            list(client.projects())
    finally:
        client.close()
    told = str(refused.value)
    assert "\n" not in told
    assert token not in told
    return told


def test_a_redirect_to_https_names_the_url_to_set() -> None:
    with served(301, {"Location": "https://studio.example{path}"}) as url:
        told = refusal(url)
        assert told == f"Label Studio at {url} redirects to https://studio.example: " + (
            "set LABEL_STUDIO_URL to https://studio.example"
        )
        assert "the url of 'shop' in TAGLOOM_CONNECTIONS to https" in refusal(url, name="shop")


def test_a_redirect_below_a_path_names_that_path() -> None:
    with served(302, {"Location": "/label-studio{path}"}) as url:
        assert refusal(url).endswith(f"set LABEL_STUDIO_URL to {url}/label-studio")


def test_a_redirect_to_another_page_shows_no_secret() -> None:
    with served(302, {"Location": "https://me:secret-word@studio.example/login?next=secret-word"}) as url:
        told = refusal(url)
    assert "redirects to https://***@studio.example/login," in told
    assert "secret-word" not in told


def test_a_self_signed_certificate_is_told_until_ssl_cert_file_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path)
    with served(200, JSON, ONE_PROJECT, pem) as url:
        assert re.search(r"is not trusted here \(self.signed certificate\): set SSL_CERT_FILE", refusal(url))
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        client = LabelStudioClient(Connection("default", url))
        assert [project["id"] for project in client.projects()] == [1]
        client.close()
    assert len(trusted().get_ca_certs()) > 50, "public hosts of pictures are trusted all the same"


def test_a_refused_token_is_told_where_it_is_set() -> None:
    with served(401, JSON, b'{"detail": "no"}') as url:
        for name, where in (("default", "set LABEL_STUDIO_API_KEY"), ("shop", "set the token of 'shop' in TAGLOOM_")):
            client = LabelStudioClient(Connection(name, url))
            with pytest.raises(LabelStudioError, match=where):
                list(client.projects())
            client.close()


def test_pictures_come_with_the_same_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path)
    with served(200, {"Content-Type": "image/png"}, png(), pem) as url:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        client = LabelStudioClient(Connection("default", url))
        fetcher = ImageFetcher(client)
        assert fetcher.fetch(ItemReference("/data/upload/1/a.png")).image.size
        fetcher.close()
        client.close()


def test_a_certificate_of_another_host_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path, host="studio.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with served(200, JSON, ONE_PROJECT, pem) as url:
        assert "set LABEL_STUDIO_URL to a host that it names" in refusal(url)


def test_an_old_certificate_is_to_be_renewed() -> None:
    # Openssl makes none that is old already, so this is Python's error alone.
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code, error.verify_message = 10, "certificate has expired"
    told = unanswered(Connection("default", "https://studio.example"), error)
    assert told.endswith("a certificate that can't be used (certificate has expired): renew it")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(UserError, match=f"SSL_CERT_FILE={file} can't be read as certificates"):
        LabelStudioClient(Connection("default", "https://studio.example"))


def test_tls_where_there_is_none_and_none_where_there_is(tmp_path: Path) -> None:
    with served(200, JSON, ONE_PROJECT) as url:
        told = refusal(url.replace("http://", "https://"))
        assert told.endswith(f"does not speak TLS: set LABEL_STUDIO_URL to {url} if it is served without")
    with served(200, JSON, ONE_PROJECT, certificate(tmp_path)) as url:
        told = refusal(url.replace("https://", "http://"))
        assert told.endswith(f"set LABEL_STUDIO_URL to {url} if it is served by TLS")


@pytest.mark.parametrize("token", ["legacy", PERSONAL])
@pytest.mark.parametrize("status", [200, 404])
def test_a_wrong_path_is_told_with_either_token(status: int, token: str) -> None:
    with served(status, HTML, b"<html>") as url:
        assert "check LABEL_STUDIO_URL; is a path missing, such as /label-studio?" in refusal(url, token=token)
        assert "check LABEL_STUDIO_URL; is the path /studio right?" in refusal(f"{url}/studio/", token=token)


def test_another_program_that_speaks_json_is_no_label_studio() -> None:
    with served(200, JSON, b'{"status": "UP"}') as url:
        assert "lists no projects, so it is no Label Studio" in refusal(url)


def test_nobody_at_the_address_is_told() -> None:
    assert refusal(f"http://127.0.0.1:{free_port()}").endswith(
        "does not answer (ConnectError): start it, or correct LABEL_STUDIO_URL"
    )
