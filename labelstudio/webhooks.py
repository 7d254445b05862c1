"""The webhooks by which Label Studio sends a project's labels to this backend, and what may be wrong with them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from tagloom_base.groups import AccessSettings, StudioSettings

NEEDED_ACTIONS = frozenset({"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED"})
"""The actions without which gold is missed."""


def secrets_of(access: AccessSettings, studios: StudioSettings, connection: str) -> tuple[str, ...]:
    """Return the URL secrets of one connection, the one to use first."""
    further = studios.connections.get(connection)
    held: Sequence[SecretStr] = further.url_secrets if further else access.url_secrets
    return tuple(secret.get_secret_value() for secret in held)


def bearer_of(access: AccessSettings, studios: StudioSettings, connection: str) -> str:
    """Return the secret of the header that a connection's webhooks need; empty where their URL holds a secret."""
    return "" if secrets_of(access, studios, connection) else access.webhook_secret.get_secret_value()


def has_secret(backend: Mapping[str, Any], secrets: Collection[str]) -> bool:
    """Return whether the URL of an ML backend, as Label Studio lists it, holds one of these secrets."""
    return not set(secrets).isdisjoint(urlsplit(str(backend.get("url"))).path.split("/"))


def target_of(backend: Mapping[str, Any]) -> str:
    """Return the URL of the webhook that Label Studio makes for an ML backend."""
    return str(backend.get("url")).rstrip("/") + "/webhook"


def place_of(hook: Mapping[str, Any]) -> str:
    """Return the URL of a webhook, in the form of ``target_of``."""
    return str(hook.get("url")).rstrip("/")


def fault(hook: Mapping[str, Any], header: str) -> str:
    """Return why a webhook does not bring the labels, and how to mend it; empty when it does."""
    place = "in its Settings → Webhooks"
    lacking = NEEDED_ACTIONS - set(hook.get("actions") or ())
    if not hook.get("is_active", True):
        return f"has a webhook that is switched off: switch it on {place}, and Start training"
    if not hook.get("send_payload", True):
        return f"has a webhook that sends no payload: switch on Send payload {place}"
    if not hook.get("send_for_all_actions", True) and lacking:
        return f"has a webhook without {', '.join(sorted(lacking))}: switch on Send for all actions {place}"
    if header and f"Bearer {header}" not in (hook.get("headers") or {}).values():
        return f"has a webhook without the header of TAGLOOM_WEBHOOK_SECRET: add Authorization: Bearer <secret> {place}"
    return ""
