"""Extra params of an ML backend connection: a JSON object that Label Studio sends with every /setup, and only there."""

import contextlib
import difflib
import json
import logging
from functools import lru_cache
from typing import Any

from labelstudio.config import ConfigError

LOG = logging.getLogger(__name__)

_NAME = "industry_keys"
_MOST = 100  # names in the object, and industry keys
_LONGEST = 500  # characters of an industry key
_EXAMPLE = '{"industry_keys": ["level1", "level2"]}'


def industry_keys_of(extra_params: Any) -> tuple[str, ...]:
    """The industry keys that a connection asks for; none where it asks for nothing.

    Raises ConfigError for what cannot be meant, a name that is nearly ours included. Other unknown names are somebody
    else's: they are told in the log, since an error would take the project's predictions away.
    """
    asked = _object(extra_params)
    if len(asked) > _MOST:
        raise ConfigError(f"The connection's extra params hold more than {_MOST} names: write e.g. {_EXAMPLE}.")
    unknown = sorted(set(asked) - {_NAME})
    slips = difflib.get_close_matches(_NAME, unknown, 1)
    if slips:
        raise ConfigError(
            f"The connection's extra params hold {slips[0]}, which Tagloom does not know: write e.g. {_EXAMPLE}."
        )
    if unknown:
        _tell(", ".join(unknown)[:200])
    keys = asked.get(_NAME) or []
    listed = keys.split(",") if isinstance(keys, str) else keys
    if not isinstance(listed, list) or not all(isinstance(key, str) for key in listed):
        raise ConfigError(f"The connection's extra params need industry_keys as a list of names, e.g. {_EXAMPLE}.")
    if len(listed) > _MOST or any(len(key) > _LONGEST for key in listed):
        raise ConfigError(
            f"The connection's extra params name more than {_MOST} industry_keys, or one of over {_LONGEST} characters."
        )
    return tuple(key.strip().removeprefix("$") for key in listed if key.strip())


@lru_cache(maxsize=64)
def _tell(unknown: str) -> None:
    """Once: Label Studio asks /setup before every task."""
    LOG.warning("extra params %s mean nothing to Tagloom, which knows %s", unknown, _NAME)


def _object(extra_params: Any) -> dict[str, Any]:
    """Label Studio's form sends what was typed as text, its API as an object."""
    asked = extra_params.strip() if isinstance(extra_params, str) else extra_params
    if isinstance(asked, str) and asked:
        with contextlib.suppress(ValueError, RecursionError):  # told below
            asked = json.loads(asked)
    if not asked:
        return {}
    if not isinstance(asked, dict):
        raise ConfigError(f"The connection's extra params are no JSON object: leave them empty or write {_EXAMPLE}.")
    return asked
