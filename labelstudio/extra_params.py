"""Read the extra params of an ML backend connection: a JSON object that Label Studio sends with each /setup only."""

import contextlib
import difflib
import json
import logging
from functools import lru_cache
from typing import Any

from labelstudio.config import ConfigError

LOG = logging.getLogger(__name__)

_NAME = "industry_keys"
_MOST = 100  # names in the object; also the number of industry keys
_LONGEST = 500  # characters of an industry key
_EXAMPLE = '{"industry_keys": ["level1", "level2"]}'


def industry_keys_of(extra_params: Any) -> tuple[str, ...]:
    """Return the industry keys that a connection's extra params name; empty if they name none.

    Raises ConfigError for values of the wrong type and for a name that looks like a misspelt ``industry_keys``. Other
    unknown names only cause a warning in the log, because an error would stop the project's predictions.
    """
    # Label Studio's form sends the typed text, its API sends an object.
    asked = extra_params.strip() if isinstance(extra_params, str) else extra_params
    if isinstance(asked, str) and asked:
        # Text that is not JSON stays a text, which is refused below.
        with contextlib.suppress(ValueError, RecursionError):
            asked = json.loads(asked)
    asked = asked or {}
    if not isinstance(asked, dict):
        raise ConfigError(f"The connection's extra params are no JSON object: leave them empty or write {_EXAMPLE}.")
    if len(asked) > _MOST:
        raise ConfigError(f"The connection's extra params hold more than {_MOST} names: write e.g. {_EXAMPLE}.")
    unknown = sorted(set(asked) - {_NAME})
    slips = difflib.get_close_matches(_NAME, unknown, 1)
    if slips:
        raise ConfigError(
            f"The connection's extra params hold {slips[0]}, which Tagloom does not know: write e.g. {_EXAMPLE}."
        )
    if unknown:
        _warn_once(", ".join(unknown)[:200])
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
def _warn_once(unknown: str) -> None:
    """Log a warning, once for each text: Label Studio requests /setup before every task."""
    LOG.warning("extra params %s mean nothing to Tagloom, which knows %s", unknown, _NAME)
