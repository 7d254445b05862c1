import json
import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from tagloom.command import settings
from tagloom_base.errors import UserError
from tagloom_base.groups import FIELDS
from tagloom_base.settings import RETIRED, Settings, variable_of
from tests.tagloom.snapshot import REWRITES

SETTINGS = Path(__file__).parents[2] / "docs" / "settings.md"


def row(name: str) -> str:
    """A setting's row of the page: variable, default and description, as the code has them."""
    field = FIELDS[name]
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    shown = "empty" if default in ("", (), {}, None) else f"`{default}`"
    return f"| `{variable_of(name)}` | {shown} | {field.description} |"


def test_the_page_has_the_settings_of_the_code() -> None:
    """``TAGLOOMTEST_REWRITE_SNAPSHOTS=1`` writes the rows of the page anew; a new setting needs a row to begin with."""
    text = SETTINGS.read_text(encoding="utf-8")
    told = re.findall(r"^\| `((?:TAGLOOM_|LABEL_STUDIO_|REDIS_)\w+)` \|.*", text, re.MULTILINE)
    assert sorted(told) == sorted(map(variable_of, FIELDS))
    for name in FIELDS:
        held = re.compile(rf"^\| `{variable_of(name)}` \|.*", re.MULTILINE)
        if REWRITES:
            text = held.sub(row(name).replace("\\", r"\\"), text)
        else:
            assert held.findall(text) == [row(name)]
    if REWRITES:
        SETTINGS.write_text(text, encoding="utf-8")


def test_lists_come_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_IMAGE_HOSTS", "a.example, b.example,")
    monkeypatch.setenv("TAGLOOM_URL_SECRETS", "hush-hush-hush-hush,quiet-quiet-quiet")
    found = Settings()
    assert found.pictures.image_hosts == ("a.example", "b.example")
    assert [secret.get_secret_value() for secret in found.access.url_secrets] == [
        "hush-hush-hush-hush",
        "quiet-quiet-quiet",
    ]
    assert "hush" not in repr(found)


def test_a_lexicon_that_cannot_be_used_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAGLOOM_LEXICON", str(tmp_path / "none.toml"))
    with pytest.raises(UserError, match=r"TAGLOOM_LEXICON can't be used: .*none\.toml"):
        settings()


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TAGLOOM_", "LABEL_STUDIO_")) or name == "REDIS_URL":
            monkeypatch.delenv(name)


def refusal(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> str:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError) as told:
        Settings()
    assert told.value.__cause__ is None
    return str(told.value)


WRONG = [
    ("TAGLOOM_HOME", __file__, "folder"),
    ("TAGLOOM_HOME", "~no-such-user/x", "~"),
    ("TAGLOOM_HOME", '"/data"', "quotes"),
    ("TAGLOOM_QUEUE", "a b", "blanks"),
    ("TAGLOOM_QUEUE", "a，b", "commas"),
    ("TAGLOOM_HOST", "http://127.0.0.1", "host alone"),
    ("TAGLOOM_HOST", "127.0.0.1:9090", "port"),
    ("TAGLOOM_PORT", "0", "1"),
    ("TAGLOOM_PORT", "70000", "65535"),
    ("TAGLOOM_PORT", "tcp://10.0.0.1:9090", "integer"),
    ("LABEL_STUDIO_URL", "127.0.0.1:8080", "http://"),
    ("LABEL_STUDIO_URL", "http://", "host"),
    ("LABEL_STUDIO_URL", "http://a b/", "blanks"),
    ("LABEL_STUDIO_URL", "http://a\r\n.example", "blanks"),
    ("LABEL_STUDIO_URL", "http://标注.example。cn", "ASCII"),
    ("LABEL_STUDIO_URL", "http://host:80a", "URL"),
    ("LABEL_STUDIO_URL", "http://[", "URL"),
    ("LABEL_STUDIO_URL", "http://a..example", "host"),
    ("LABEL_STUDIO_URL", "http://host/?page=1", "[?]"),
    ("TAGLOOM_MODELS_IN_MEMORY", "0", "1"),
    ("TAGLOOM_MAX_REQUEST_BYTES", "-1", "1"),
    ("TAGLOOM_TRAINING_REQUESTS_PER_MINUTE", "0", "1"),
    ("TAGLOOM_PREDICT_BUDGET", "0", "greater than 0"),
    ("TAGLOOM_PREDICT_BUDGET", "nan", "finite"),
    ("TAGLOOM_PREDICT_BUDGET", "inf", "finite"),
    ("TAGLOOM_LABEL_STUDIO_NAMES", "label.example.com", "http:// or https://"),
    ("TAGLOOM_LABEL_STUDIO_NAMES", "https://label.example.com/?a=1", "before its"),
    ("TAGLOOM_IMAGE_HOSTS", "https://img.example.com/", "hosts alone"),
    ("TAGLOOM_IMAGE_HOSTS", "http://shop.example.org:8080/a.jpg", "such as shop[.]example[.]org$"),
    ("TAGLOOM_IMAGE_HOSTS", "img.example.com:8080", "port"),
    ("TAGLOOM_IMAGE_HOSTS", ".example.com", "[*].cdn.example.com"),
    ("TAGLOOM_IMAGE_HOSTS", "a.example b.example", "by commas"),
    ("TAGLOOM_IMAGE_HOSTS", '["a.example"]', "brackets"),
    ("TAGLOOM_IMAGE_ROOTS", "/no/such/folder", "folders that are there"),
    ("TAGLOOM_IMAGE_ROOTS", "file:///tmp", "folders that are there"),
    ("TAGLOOM_INDUSTRY_KEYS", '["level1"]', "brackets"),
    ("TAGLOOM_IMAGE_MAX_BYTES", "0", "1"),
    ("TAGLOOM_IMAGE_MAX_PIXELS", "30 million", "integer"),
    ("TAGLOOM_IMAGE_SECONDS", "0", "greater than 0"),
    ("TAGLOOM_TRAINING_THREADS", "-1", "0"),
    ("TAGLOOM_TRAINING_PROCESSES", "0", "1"),
    ("TAGLOOM_TRAINING_POOL", "-5", "0"),
    ("TAGLOOM_PROMOTION_SECONDS", "-1", "0"),
    ("TAGLOOM_HELD_OUT_SHARE", "20", "less than 1"),
    ("TAGLOOM_HELD_OUT_SHARE", "20%", "number"),
    ("TAGLOOM_SETTLE_SECONDS", "-1", "0"),
    ("TAGLOOM_KEEP_VERSIONS", "-1", "0"),
    ("TAGLOOM_RECONCILE_MINUTES", "-1", "0"),
    ("TAGLOOM_REFRESH_PREDICTIONS", "sometimes", "boolean"),
    ("TAGLOOM_UNCERTAINTY_SAMPLING", "perhaps", "boolean"),
    ("TAGLOOM_LEXICON", "/no/lexicon.toml", "lexicon.toml"),
    ("TAGLOOM_DEVICE", "gpu", "cuda"),
    ("TAGLOOM_DEVICE", "cuda:x", "number"),
    ("TAGLOOM_SEED", "-1", "0"),
    ("TAGLOOM_BASIC_USER", "a:b", "colon"),
]


@pytest.mark.parametrize(("variable", "value", "advice"), WRONG)
def test_a_wrong_value_is_one_sentence_with_variable_value_and_fix(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, advice: str
) -> None:
    told = refusal(monkeypatch, variable, value)
    assert told.startswith(f"{variable} can't be used: ")
    assert re.search(advice, told)
    assert "\n" not in told
    assert repr(value) in told or value in told or variable == "TAGLOOM_IMAGE_HOSTS" or advice == "brackets"


SECRET = "Sec%23ret9"
SECRETIVE = [
    ("LABEL_STUDIO_API_KEY", f"Token {SECRET}", "token alone"),
    ("LABEL_STUDIO_API_KEY", f"{SECRET}，", "ASCII"),
    ("LABEL_STUDIO_URL", f"http://user:{SECRET}@host/", "no password"),
    ("TAGLOOM_WEBHOOK_SECRET", f"{SECRET} 密", "ASCII"),
    ("TAGLOOM_URL_SECRETS", SECRET, "token_urlsafe"),
    ("TAGLOOM_BASIC_PASSWORD", f'"{SECRET}"', "quotes"),
    ("REDIS_URL", f"http://:{SECRET}@host", "redis://"),
    ("REDIS_URL", f"redis://:{SECRET}/x@host:6379/0", "%2F"),
    ("REDIS_URL", f"redis://:{SECRET}#x@host:6379/0", "%23"),
    ("REDIS_URL", f"redis://host:port/0?password={SECRET}", "such as"),
    ("REDIS_URL", f"redis://host/zero?password={SECRET}", "such as"),
    ("REDIS_URL", f"redis://host/0?pasword={SECRET}", "options"),
    ("TAGLOOM_DATABASE_URL", f"postgres://u:{SECRET}@host/db", "postgresql://"),
    ("TAGLOOM_DATABASE_URL", f"postgresql://u:{SECRET}@host:port/db", "such as"),
    ("TAGLOOM_DATABASE_URL", f"mysql://u:{SECRET}@host/db", "postgresql://"),
    ("TAGLOOM_DATABASE_URL", "sqlite:///~/tagloom.db", "in full"),
    ("TAGLOOM_CONNECTIONS", "{", "JSON"),
    ("TAGLOOM_CONNECTIONS", f'["{SECRET}"]', "dictionary"),
    ("TAGLOOM_CONNECTIONS", f'{{"shop": {{"url": "http://h", "token": "{SECRET}"}}}}', "'shop' 'url_secrets'"),
    ("TAGLOOM_CONNECTIONS", f'{{"shop": {{"url": "h", "token": "{SECRET}", "url_secrets": []}}}}', "'shop' 'url'"),
    ("TAGLOOM_CONNECTIONS", f'{{"shop": {{"url": "http://h", "url_secrets": ["{SECRET}"]}}}}', "token_urlsafe"),
    ("TAGLOOM_CONNECTIONS", f'{{"a": {{"url": "http://h", "url_secrets": ["{"s" * 16}"], "tokn": "{SECRET}"}}}}', "k"),
    ("TAGLOOM_CONNECTIONS", f'{{"default": {{"url": "http://h", "url_secrets": ["{"s" * 16}"]}}}}', "another name"),
    ("TAGLOOM_CONNECTIONS", f'{{"a/b": {{"url": "http://h", "url_secrets": ["{"s" * 16}"]}}}}', "letters"),
]  # fmt: skip


@pytest.mark.parametrize(("variable", "value", "advice"), SECRETIVE)
def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, advice: str) -> None:
    told = refusal(monkeypatch, variable, value)
    assert all(line.startswith(variable) for line in told.splitlines())
    assert re.search(advice, told)
    assert SECRET not in told
    assert "ret9" not in told


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_PORT", "ninety")
    monkeypatch.setenv("TAGLOOM_IMAGE_HOST", "typo.example.com")
    told = refusal(monkeypatch, "TAGLOOM_DEVICE", "gpu")
    assert [line.split()[0] for line in told.splitlines()] == ["TAGLOOM_IMAGE_HOST", "TAGLOOM_PORT", "TAGLOOM_DEVICE"]


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("TAGLOOM_IMAGE_HOST", "TAGLOOM_IMAGE_HOSTS"),
        ("TAGLOOM_URL_SECRET", "TAGLOOM_URL_SECRETS"),
        ("tagloom_hom", "TAGLOOM_HOME"),
        ("TAGLOOM_REDIS_URL", "REDIS_URL"),
        ("TAGLOOM_LABEL_STUDIO_URL", "LABEL_STUDIO_URL"),
        ("TAGLOOM_LABEL_STUDIO_TOKEN", "LABEL_STUDIO_API_KEY"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, misspelt: str, meant: str
) -> None:
    assert f"rename it to {meant} " in refusal(monkeypatch, misspelt, "x")


def test_what_windows_and_copying_leave_around_a_value_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "\ufeffhttp://127.0.0.1:8080\r")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "\u200bsecret-token-123\r\n")
    monkeypatch.setenv("TAGLOOM_PORT", " 9091\r")
    monkeypatch.setenv("TAGLOOM_CONNECTIONS", f'{{"shop": {{"url": "http://h\\r", "url_secrets": ["{"s" * 16}\\r"]}}}}')
    found = Settings()
    assert (found.studios.label_studio_url, found.access.port) == ("http://127.0.0.1:8080", 9091)
    assert found.studios.label_studio_token.get_secret_value() == "secret-token-123"
    assert found.studios.connections["shop"].url == "http://h"
    assert found.studios.connections["shop"].url_secrets[0].get_secret_value() == "s" * 16


@pytest.mark.parametrize("variable", [variable_of(field) for field in FIELDS])
@pytest.mark.parametrize("empty", ["", " \r"])
def test_an_empty_variable_is_as_one_that_is_not_set(
    monkeypatch: pytest.MonkeyPatch, variable: str, empty: str
) -> None:
    default = Settings()
    monkeypatch.setenv(variable, empty)
    assert Settings() == default
    assert Settings().values_set() == {}


def test_full_width_commas_separate_too_and_paths_may_begin_at_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a").mkdir()
    monkeypatch.setenv("TAGLOOM_IMAGE_HOSTS", "img.example.com，*.cdn.example.com、2606:4700::1111")
    monkeypatch.setenv("TAGLOOM_INDUSTRY_KEYS", "一级，二级")
    monkeypatch.setenv("TAGLOOM_IMAGE_ROOTS", "~/a，~")
    monkeypatch.setenv("TAGLOOM_HOME", "~/new")
    monkeypatch.setenv("TAGLOOM_IMAGE_ENCODER", "transformers:~/vit@~/weights")
    found = Settings()
    assert found.pictures.image_hosts == ("img.example.com", "*.cdn.example.com", "2606:4700::1111")
    assert found.tasks.industry_keys == ("一级", "二级")
    assert found.pictures.image_roots == (tmp_path / "a", tmp_path)
    assert found.paths.home == tmp_path / "new"
    assert found.encoders.image_encoder == f"transformers:{tmp_path}/vit@{tmp_path}/weights"


def test_connections_that_could_not_be_told_apart_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGLOOM_URL_SECRETS", "s" * 16)
    told = refusal(
        monkeypatch, "TAGLOOM_CONNECTIONS", json.dumps({"a": {"url": "http://h", "url_secrets": ["s" * 16]}})
    )
    assert "same URL secret" in told
    assert "s" * 16 not in told


@pytest.mark.parametrize(
    "url",
    [
        "redis://:pa%40ss@host:6379/0",
        "rediss://user:pass@host",
        "redis://:se@cret@host:6379/1",
        "unix:///run/valkey.sock?db=1",
        "redis://[::1]:6379/0?health_check_interval=5",
    ],
)
def test_redis_addresses_that_work(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert Settings().work.redis_url == url


def test_every_secret_of_the_settings_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "the-token")
    monkeypatch.setenv("TAGLOOM_BASIC_USER", "u")
    monkeypatch.setenv("TAGLOOM_BASIC_PASSWORD", "basic-password")
    monkeypatch.setenv("TAGLOOM_WEBHOOK_SECRET", "webhook-secret")
    monkeypatch.setenv("TAGLOOM_URL_SECRETS", "url-secret-0123456")
    connection = {"url": "http://h", "token": "other-token", "url_secrets": ["other-secret-0123"]}
    monkeypatch.setenv("TAGLOOM_CONNECTIONS", json.dumps({"shop": connection}))
    monkeypatch.setenv("REDIS_URL", "redis://:re%23dis@h/0?password=Sec%23ret9")
    monkeypatch.setenv("TAGLOOM_DATABASE_URL", "postgresql://u:data%40base@h/d")
    assert set(Settings().secrets) == {
        "the-token", "basic-password", "webhook-secret", "url-secret-0123456", "other-token", "other-secret-0123",
        "dTpiYXNpYy1wYXNzd29yZA==", "re%23dis", "re#dis", "Sec%23ret9", "Sec#ret9", "data%40base", "data@base",
    }  # fmt: skip


@pytest.mark.parametrize("variable", sorted(RETIRED))
def test_a_variable_that_was_a_setting_once_does_no_harm(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "16")
    assert Settings().values_set() == {}
