"""A client for the part of Label Studio's API that Tagloom needs.

It calls only the configured base URL and follows no redirects.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from labelstudio import reachability
from labelstudio.connection import Connection
from labelstudio.proxies import Proxies
from tagloom_base import redaction, values

PREDICTIONS_PER_REQUEST = 200
TASKS_PER_PAGE = 100
BRIEF_TASKS_PER_PAGE = 200
# Label Studio itself waits for the backend: three times a second for /health, then three seconds for /setup, twice.
CONNECTING_S = 60.0

Filter = tuple[str, str, str, Any]
"""A filter of Label Studio's data manager: column, operator, type, value."""


class LabelStudioError(Exception):
    """Label Studio did not answer as expected; the message says what to check (``labelstudio.reachability``).

    ``status`` is the HTTP status, if one arrived. ``is_away``: no answer arrived at all. ``is_missing``: Label Studio
    itself answered that the requested object does not exist. ``detail``: the reason in its own words, perhaps empty.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        *,
        is_away: bool = False,
        is_missing: bool = False,
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.is_away = is_away
        self.is_missing = is_missing


class LabelStudioClient:
    """Calls one Label Studio with its legacy token or personal access token. Thread-safe.

    A personal access token is a JWT that can only be exchanged for access tokens (POST /api/token/refresh). An access
    token is valid for five minutes; the client requests a new one when Label Studio answers 401.
    """

    def __init__(self, connection: Connection, *, timeout: float = 15.0) -> None:
        self.connection = connection
        self.trust = reachability.trusted()
        redaction.keep_out(connection.token.get_secret_value())
        proxy = Proxies().of(connection.origin) if connection.origin else None
        through = httpx.Proxy(proxy.url, auth=proxy.auth) if proxy else None
        self._http = httpx.Client(
            base_url=connection.url or "http://unconfigured.invalid",
            timeout=timeout,
            transport=httpx.HTTPTransport(verify=self.trust, proxy=through),
        )
        self._lock = threading.Lock()
        self._access = ""
        self._offered = ""

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def offer_token(self, token: str) -> None:
        """Take the legacy token that /setup sent. It is used if no token is configured, and kept in memory only."""
        redaction.keep_out(token, passing=True)
        try:
            self._offered = values.token(values.trimmed(token))
        except ValueError:
            self._offered = ""  # no header can carry it

    def authorization(self, stale: str | None = None) -> str | None:
        """Return the value of the Authorization header; None without a token.

        ``stale`` is an earlier value that Label Studio answered with 401. Raises LabelStudioError when the token is
        refused.
        """
        token = self.connection.token.get_secret_value() or self._offered
        if not token:
            return None
        # A personal access token is a JWT, which has three parts; a legacy token has one.
        if token.count(".") != 2:
            return f"Token {token}"
        with self._lock:
            # If another thread has renewed the access token meanwhile, ``stale`` is no longer the current one.
            if not self._access or stale == f"Bearer {self._access}":
                answer = self._send("POST", "/api/token/refresh", None, {"json": {"refresh": token}})
                try:
                    access = values.token(str(answer.json()["access"]))
                except (ValueError, KeyError, TypeError) as error:
                    if answer.is_success:
                        raise LabelStudioError(reachability.strange(self.connection, answer)) from error
                    raise LabelStudioError(
                        "Label Studio refuses the personal access token: make a new one (Account & Settings) "
                        f"and set {self.connection.token_variable}",
                        answer.status_code,
                    ) from error
                redaction.keep_out(access, passing=True)
                self._access = access
            return f"Bearer {self._access}"

    def person(self) -> dict[str, Any]:
        """Return the user object of the token's owner; its fields include ``id`` and ``email``."""
        return _object(self._call("GET", "/api/current-user/whoami"))

    def project(self, project_id: int) -> dict[str, Any]:
        """Return the project object; its fields include ``label_config`` and ``created_at``."""
        return _object(self._call("GET", f"/api/projects/{project_id}/"))

    def projects(self, *fields: str) -> Iterator[dict[str, Any]]:
        """Yield all project objects that the token may see, with these fields alone if any are named."""
        page, only = 1, {"include": ",".join(fields)} if fields else {}
        while True:
            query = {"page": page, "page_size": TASKS_PER_PAGE, **only}
            answer = _object(self._call("GET", "/api/projects/", params=query))
            if not isinstance(answer.get("results"), list):
                place, variable = self.connection.url, self.connection.variable
                raise LabelStudioError(f"{place} lists no projects, so it is no Label Studio: check {variable}")
            yield from answer["results"]
            if not answer.get("next"):
                return
            page += 1

    def tasks_after(self, project_id: int, task_id: int) -> tuple[list[dict[str, Any]], bool]:
        """Return the next tasks with ids above ``task_id``, with their annotations, and whether they are the last ones.

        Unlike page numbers, ids do not shift when tasks are deleted between two requests.
        """
        tasks, total = _listed(self._filtered(project_id, [_behind(task_id)], page_size=TASKS_PER_PAGE, fields="all"))
        _check_behind(tasks, task_id)
        return tasks, not tasks or len(tasks) >= total

    def tasks_named(self, project_id: int, task_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Return those of these tasks that exist, with their annotations and predictions, in the order of ids."""
        wanted = ("id", "in_list", "List", list(task_ids))
        tasks, _ = _listed(self._filtered(project_id, [wanted], page_size=len(task_ids), fields="all"))
        return tasks

    def outdated_tasks(
        self, project_id: int, task_id: int, version: str, *, unlabelled: bool, stored: bool
    ) -> tuple[list[dict[str, Any]], int]:
        """Return the next tasks above ``task_id`` that have no prediction of ``version``, and how many remain in all.

        ``unlabelled`` leaves out tasks with annotations; ``stored`` leaves out tasks without any stored prediction.
        The tasks come without annotations and predictions, which takes Label Studio a quarter of the time.
        """
        filters = [_behind(task_id), ("predictions_model_versions", "not_contains", "List", [version])]
        filters += [("total_predictions", "greater", "Number", 0)] if stored else []
        return self._briefly(project_id, task_id, filters, unlabelled=unlabelled)

    def tasks_predicted_by(self, project_id: int, task_id: int, version: str) -> list[int]:
        """Return the ids of the next tasks above ``task_id`` with a prediction whose version's name contains this."""
        filters: list[Filter] = [_behind(task_id), ("predictions_model_versions", "contains", "List", [version])]
        tasks, _ = self._briefly(project_id, task_id, filters, unlabelled=False)
        return [task["id"] for task in tasks]

    def crowded_tasks(self, project_id: int, task_id: int, *, unlabelled: bool) -> tuple[list[dict[str, Any]], int]:
        """Return the next tasks above ``task_id`` that have several predictions, like ``outdated_tasks``."""
        filters = [_behind(task_id), ("total_predictions", "greater", "Number", 1)]
        return self._briefly(project_id, task_id, filters, unlabelled=unlabelled)

    def tasks_data(self, project_id: int, task_id: int) -> tuple[list[dict[str, Any]], int]:
        """Return the next tasks above ``task_id`` with their data as it is stored, like ``outdated_tasks``."""
        return self._briefly(project_id, task_id, [_behind(task_id)], unlabelled=False, resolve_uri=False)

    def set_data(self, project_id: int, task_ids: Sequence[int], key: str, value: float | str) -> None:
        """Write one value into the data of these tasks, under a key. Their ``updated_at`` stays; no webhook is sent."""
        kind = "String" if isinstance(value, str) else "Number"
        chosen = {"selectedItems": {"all": False, "included": list(task_ids)}}
        self._call(
            "POST",
            "/api/dm/actions",
            params={"id": "add_data_field", "project": project_id},
            json={**chosen, "value_name": key, "value_type": kind, "value": value},
        )

    def count_data(self, project_id: int) -> None:
        """Have Label Studio look anew which keys the data of a project's tasks has: these are its columns."""
        self._call("POST", f"/api/projects/{project_id}/summary/reset/", json={})

    def replace_data(self, task_id: int, data: Mapping[str, Any]) -> None:
        """Overwrite the data of a task; no webhook is sent."""
        self._call("PATCH", f"/api/tasks/{task_id}/", json={"data": dict(data)})

    def _briefly(
        self, project_id: int, task_id: int, filters: Sequence[Filter], *, unlabelled: bool, **query: Any
    ) -> tuple[list[dict[str, Any]], int]:
        """Return one page of tasks without annotations and predictions, and how many tasks the filters leave in all."""
        chosen = [*filters, ("completed_at", "empty", "Datetime", True)] if unlabelled else filters
        page = _object(self._filtered(project_id, chosen, page_size=BRIEF_TASKS_PER_PAGE, **query))
        tasks = list(page.get("tasks") or [])
        _check_behind(tasks, task_id)
        return tasks, int(page.get("total") or 0)

    def _filtered(self, project_id: int, filters: Sequence[Filter], **query: Any) -> Any:
        """Return Label Studio's answer with the tasks that match all filters, in the order of ids."""
        items = [
            {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
            for column, operator, kind, value in filters
        ]
        wanted = {"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]}
        return self._call("GET", "/api/tasks/", params={"project": project_id, **query, "query": json.dumps(wanted)})

    def post_predictions(self, project_id: int, predictions: Sequence[dict[str, Any]]) -> int:
        """Store predictions (``task``, ``result``, ``score``, ``model_version``) in chunks; return how many."""
        for start in range(0, len(predictions), PREDICTIONS_PER_REQUEST):
            chunk = list(predictions[start : start + PREDICTIONS_PER_REQUEST])
            self._call("POST", f"/api/projects/{project_id}/import/predictions", json=chunk)
        return len(predictions)

    def replace_prediction(self, prediction_id: int, prediction: Mapping[str, Any]) -> None:
        """Overwrite a stored prediction (``task``, ``result``, ``score``, ``model_version``)."""
        self._call("PATCH", f"/api/predictions/{prediction_id}/", json=dict(prediction))

    def delete_prediction(self, prediction_id: int) -> None:
        """Delete one stored prediction."""
        self._call("DELETE", f"/api/predictions/{prediction_id}/")

    def webhooks(self, project_id: int | None = None) -> list[dict[str, Any]]:
        """Return the project's webhooks; without an id those of all projects, and those that belong to none."""
        found = self._call("GET", "/api/webhooks/", params={"project": project_id} if project_id is not None else {})
        return found if isinstance(found, list) else []

    def switch_on_webhook(self, webhook: Mapping[str, Any]) -> None:
        """Switch on a webhook that ``webhooks`` returned."""
        # Without them Label Studio would empty the list of actions.
        kept = {"actions": list(webhook.get("actions") or ())}
        self._call("PATCH", f"/api/webhooks/{webhook['id']}/", json={"is_active": True, **kept})

    def backends(self, project_id: int) -> list[dict[str, Any]]:
        """Return the project's ML backends; Label Studio requests predictions from the first one."""
        found = self._call("GET", "/api/ml/", params={"project": project_id})
        return sorted(found, key=lambda backend: int(backend["id"])) if isinstance(found, list) else []

    def add_backend(self, fields: Mapping[str, Any]) -> None:
        """Add an ML backend (``project``, ``url``, ``title`` ...); Label Studio requests /health and /setup from it.

        Raises LabelStudioError when it refuses the address, or gets no good answer there.
        """
        self._call("POST", "/api/ml/", json=dict(fields), timeout=CONNECTING_S)

    def change_backend(self, backend_id: int, fields: Mapping[str, Any]) -> None:
        """Change an ML backend; Label Studio needs ``url``, ``project`` and ``title`` again, and asks it as above."""
        self._call("PATCH", f"/api/ml/{backend_id}", json=dict(fields), timeout=CONNECTING_S)

    def delete_backend(self, backend_id: int) -> None:
        """Delete an ML backend; its webhook stays."""
        self._call("DELETE", f"/api/ml/{backend_id}")

    def add_webhook(self, fields: Mapping[str, Any]) -> None:
        """Add a webhook (``project``, ``url`` ...)."""
        self._call("POST", "/api/webhooks/", json=dict(fields))

    def change_webhook(self, webhook_id: int, fields: Mapping[str, Any]) -> None:
        """Change fields of a webhook."""
        self._call("PATCH", f"/api/webhooks/{webhook_id}/", json=dict(fields))

    def rename_backend(self, backend: Mapping[str, Any], title: str) -> None:
        """Change an ML backend's title; Label Studio then requests /health and /setup from it.

        ``backend`` is an object that ``backends`` returned.
        """
        kept = {name: backend.get(name) for name in ("url", "project", "extra_params")}
        if backend.get("auth_method") == "BASIC_AUTH":
            # An empty password leaves Label Studio's stored password unchanged.
            kept |= {"auth_method": "BASIC_AUTH", "basic_auth_user": backend["basic_auth_user"], "basic_auth_pass": ""}
        self._call("PATCH", f"/api/ml/{backend['id']}", json={**kept, "title": title})

    def change_project(self, project_id: int, fields: Mapping[str, Any]) -> None:
        """Change settings of a project; Label Studio then sends the webhook PROJECT_UPDATED, also for no field."""
        self._call("PATCH", f"/api/projects/{project_id}/", json=dict(fields))

    def _call(self, method: str, path: str, **request: Any) -> Any:
        """Send a request with the token, with a renewed one after a 401; return the JSON of the answer."""
        header = self.authorization()
        answer = self._send(method, path, header, request)
        if answer.status_code == 401 and (renewed := self.authorization(stale=header)) != header:
            answer = self._send(method, path, renewed, request)
        status = answer.status_code
        if status == 401:
            raise LabelStudioError(
                f"Label Studio refuses the token (401): set {self.connection.token_variable} to a valid personal or "
                "legacy token",
                status,
            )
        if answer.is_error:
            message = f"{method} {path} at Label Studio: {status}"
            if status == 403:
                message += f": give the user of {self.connection.token_variable} the right to it"
            elif status >= 500:
                message += ": its log says why"
            raise LabelStudioError(message, status, is_missing=status == 404, detail=_detail(answer))
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise LabelStudioError(reachability.strange(self.connection, answer)) from error

    def _send(self, method: str, path: str, header: str | None, request: dict[str, Any]) -> httpx.Response:
        """Send one request; return Label Studio's own answer, which may be an error.

        Raises LabelStudioError for a redirect and a missing path, and with ``is_away`` if no answer arrives.
        """
        if not self.connection.url:
            raise LabelStudioError("no Label Studio is configured: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY")
        try:
            headers = {"Authorization": header} if header else {}
            answer = self._http.request(method, self.connection.absolute(path), headers=headers, **request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise LabelStudioError(reachability.unanswered(self.connection, error), is_away=True) from error
        status = answer.status_code
        if answer.is_redirect:
            place = answer.headers.get("location", "")
            raise LabelStudioError(reachability.redirected(self.connection, path, place), status)
        if status == 404 and "json" not in answer.headers.get("content-type", ""):
            raise LabelStudioError(reachability.strange(self.connection, answer), status)
        return answer


def _listed(answer: Any) -> tuple[list[dict[str, Any]], int]:
    """Return the tasks of a page, and the total number of tasks.

    Raises LabelStudioError if either is missing, because the reconcile treats unlisted tasks as deleted.
    """
    page = _object(answer)
    tasks, total = page.get("tasks"), page.get("total")
    if not isinstance(tasks, list) or not isinstance(total, int):
        raise LabelStudioError("GET /api/tasks/ at Label Studio: no list of tasks with a total; use its release 1.23.2")
    if not all(isinstance(task.get("annotations"), list) for task in tasks):
        raise LabelStudioError("GET /api/tasks/ at Label Studio: tasks without annotations; use its release 1.23.2")
    return tasks, total


def _behind(task_id: int) -> Filter:
    return ("id", "greater", "Number", task_id)


def _check_behind(tasks: Sequence[Mapping[str, Any]], task_id: int) -> None:
    """Raise LabelStudioError if a task's id is not above ``task_id``: Label Studio ignores filters it does not know."""
    if any(task["id"] <= task_id for task in tasks):
        raise LabelStudioError("GET /api/tasks/ at Label Studio: tasks are not filtered by id; use its release 1.23.2")


def _detail(answer: httpx.Response) -> str:
    """Return Label Studio's own words about an error: those of the fields, else the general ones, without markup."""
    try:
        told = _object(answer.json())
    except ValueError:
        return ""
    fields = told.get("validation_errors")
    parts = (
        [str(part) for held in fields.values() for part in (held if isinstance(held, list) else [held])]
        if isinstance(fields, dict)
        else []
    )
    return re.sub(r"<[^>]{0,500}>", "", " ".join(parts) or str(told.get("detail") or ""))


def _object(answer: Any) -> dict[str, Any]:
    return answer if isinstance(answer, dict) else {}
