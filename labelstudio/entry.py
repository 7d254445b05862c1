"""A backend's entry in a project of Label Studio: its ML backend and its webhook. What is wrong, and how it is mended.

Label Studio 1.23.2 makes the webhook by itself when the backend is added, unless it refuses the address as private; it
may then keep the backend without a webhook, so that no label ever arrives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from labelstudio.api import LabelStudioClient, LabelStudioError
from labelstudio.webhooks import fault
from tagloom_base.errors import UserError

TITLE = "Tagloom"
_CONNECTED = "CO"
# How Label Studio says that it calls no private addresses.
_RESERVED = "reserved network address"
# What it says of a backend that it was connected to, and calls no more since its address is private, is nothing.
_SILENT = (
    "none is given; if the address is private, start Label Studio with ML_BLOCK_LOCAL_IP=false and "
    "SSRF_PROTECTION_ENABLED=false"
)


@dataclass(frozen=True)
class Entry:
    """What a project is to hold. ``url`` is the backend's as Label Studio calls it, with its secret; ``bearer`` the
    secret of the webhook's header, if the backend asks for one.
    """

    url: str
    user: str = ""
    password: SecretStr = field(default_factory=lambda: SecretStr(""))
    bearer: SecretStr = field(default_factory=lambda: SecretStr(""))

    @property
    def webhook(self) -> str:
        return f"{self.url.rstrip('/')}/webhook"

    @property
    def authentication(self) -> dict[str, Any]:
        """Label Studio's fields of the credentials that it sends."""
        if not self.user:
            return {"auth_method": "NONE"}
        password = self.password.get_secret_value()
        return {"auth_method": "BASIC_AUTH", "basic_auth_user": self.user, "basic_auth_pass": password}


def ensure(client: LabelStudioClient, project_id: int, entry: Entry) -> list[str]:
    """Make the project hold the entry, and return what was changed, in words; nothing if all was there.

    Raises UserError, which names the fix, when Label Studio refuses the address or can't reach the backend there, and
    LabelStudioError when Label Studio itself can't be asked. What a refusal has left is taken away again.
    """
    return _ensure_backend(client, project_id, entry) + _ensure_webhook(client, project_id, entry)


def is_at(listed: Mapping[str, Any], url: str) -> bool:
    """Return whether a listed backend or webhook has this URL; a slash at its end makes no difference."""
    return str(listed.get("url")).rstrip("/") == url.rstrip("/")


def _ensure_backend(client: LabelStudioClient, project_id: int, entry: Entry) -> list[str]:
    fields = {"project": project_id, "url": entry.url, "is_interactive": True, **entry.authentication}
    found = [one for one in client.backends(project_id) if is_at(one, entry.url)]
    changed = []
    if not found:
        try:
            client.add_backend({**fields, "title": TITLE})
        except LabelStudioError as refused:
            # Label Studio may keep a backend that it has just refused.
            for left in client.backends(project_id):
                if is_at(left, entry.url):
                    client.delete_backend(int(left["id"]))
            raise _explained(refused, entry) from refused
        changed.append(f"added the ML backend {TITLE}")
    elif any(found[0].get(name) != fields[name] for name in ("auth_method", "basic_auth_user") if name in fields):
        kept = {"title": found[0].get("title"), "is_interactive": found[0].get("is_interactive")}
        try:
            client.change_backend(int(found[0]["id"]), {**fields, **kept})
        except LabelStudioError as refused:
            raise _explained(refused, entry) from refused
        changed.append("changed the ML backend's user and password")
    # To list it, Label Studio asks it for /health and /setup.
    (held,) = [one for one in client.backends(project_id) if is_at(one, entry.url)][:1]
    if held.get("state") != _CONNECTED:
        raise UserError(_unreached(entry, str(held.get("error_message") or _SILENT)))
    return changed


def _ensure_webhook(client: LabelStudioClient, project_id: int, entry: Entry) -> list[str]:
    bearer = entry.bearer.get_secret_value()
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    wanted = {"is_active": True, "send_payload": True, "send_for_all_actions": True}
    hooks = [hook for hook in client.webhooks(project_id) if is_at(hook, entry.webhook)]
    faults = [fault(hook, bearer) for hook in hooks]
    if "" in faults:
        return []
    try:
        if not hooks:
            client.add_webhook({"project": project_id, "url": entry.webhook, "headers": headers, **wanted})
            return ["added the webhook"]
        # Label Studio needs all of them in a change.
        headers = {**(hooks[0].get("headers") or {}), **headers}
        kept = {"project": project_id, "url": hooks[0]["url"], "headers": headers}
        client.change_webhook(int(hooks[0]["id"]), {**kept, **wanted})
    except LabelStudioError as refused:
        raise _explained(refused, entry) from refused
    return [f"mended the webhook {faults[0].partition(':')[0].removeprefix('has a webhook ')}"]


def _explained(refused: LabelStudioError, entry: Entry) -> Exception:
    """Return the error to raise for a refusal: with the fix where Label Studio has said why."""
    if refused.status not in (400, 403) or not refused.detail:
        return refused
    if _RESERVED in refused.detail:
        return UserError(
            f"Label Studio calls no private addresses, and so not {entry.url}: start it with ML_BLOCK_LOCAL_IP=false "
            "and SSRF_PROTECTION_ENABLED=false, or give an address that is not private by --url"
        )
    return UserError(_unreached(entry, refused.detail)) if refused.status == 400 else refused


def _unreached(entry: Entry, reason: str) -> str:
    return (
        f"Label Studio gets no good answer from the backend at {entry.url}: give the address at which Label Studio "
        f"itself reaches it by --url, and let a firewall pass it. Its reason: {reason[:400]}"
    )
