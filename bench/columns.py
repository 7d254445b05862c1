"""Measure which ways Label Studio has to filter and sort tasks by a value: python -m bench.columns FOLDER

Starts a Label Studio of its own in the folder with a project of 200 tasks and a listener as its webhook, writes a value
into each task in several ways, and prints a Markdown table: processor time of Label Studio per task, webhooks, whether
the task's ``updated_at`` moves, and whether the value is a column, a filter and an order of the Data Manager's API.
Needs Label Studio's environment (``make label-studio``).
"""

import argparse
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tagloom_base.errors import UserError
from tools.services.child import family
from tools.services.ports import free_port
from tools.up.account import Account
from tools.up.project import LabelStudio
from tools.up.server import Waiting, label_studio

TASKS = 200
CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="tag" toName="image"><Choice value="a"/></Choices></View>'
)
HEARD: list[str] = []


class Listener(BaseHTTPRequestHandler):
    """Takes webhooks, and notes their actions."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        HEARD.append(body["action"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@dataclass(frozen=True)
class Way:
    """How a value is written into all tasks, and by which column of the Data Manager it would be found."""

    name: str
    write: Callable[[], None]
    column: str
    kind: str = "Number"
    value: Any = 0.3
    operator: str = "less"
    ordered_by: Callable[[int], float] | None = None


class Site:
    """A project with tasks."""

    def __init__(self, api: LabelStudio, process: int, hook: str) -> None:
        self.api, self.process = api, process
        self.project = int(api.call("POST", "/api/projects/", json={"title": "ways", "label_config": CONFIG})["id"])
        tasks = [{"data": {"image": f"/{row}.png", "title": f"t{row}"}, "meta": {"own": row}} for row in range(TASKS)]
        api.call("POST", f"/api/projects/{self.project}/import", json=tasks)
        api.call("POST", "/api/webhooks/", json={"project": self.project, "url": hook})
        self.ids = sorted(int(task["id"]) for task in self.tasks())

    def tasks(self, **query: Any) -> list[dict[str, Any]]:
        found = self.api.call(
            "GET", "/api/tasks/", params={"project": self.project, "page_size": TASKS, "fields": "all", **query}
        )
        return list(found["tasks"])

    def matching(self, way: Way) -> str:
        """How many tasks a filter on the column finds, and whether an order by it is one; or that it is refused."""
        item = {
            "filter": f"filter:tasks:{way.column}",
            "operator": way.operator,
            "type": way.kind,
            "value": way.value,
        }
        query = {"filters": {"conjunction": "and", "items": [item]}, "ordering": []}
        try:
            filtered = f"{len(self.tasks(query=json.dumps(query)))} tasks"
        except UserError as error:
            filtered = f"refused: {str(error)[:60]}"
        try:
            up, down = (
                [
                    way.ordered_by(task["id"]) if way.ordered_by else 0
                    for task in self.tasks(query=json.dumps({"ordering": [f"{sign}tasks:{way.column}"]}))
                ]
                for sign in ("", "-")
            )
            ordered = "yes" if way.ordered_by and up == sorted(up) and down == up[::-1] else "no"
        except UserError as error:
            ordered = f"refused: {str(error)[:60]}"
        return f"{filtered} | {ordered}"

    def act(self, name: str, ids: list[int], **body: Any) -> None:
        chosen = {"selectedItems": {"all": False, "included": ids}}
        self.api.call("POST", f"/api/dm/actions?id={name}&project={self.project}", json={**chosen, **body})

    def seconds(self) -> float:
        return sum(sum(one.cpu_times()[:2]) for one in family(self.process) if one.is_running())

    def line(self, way: Way) -> str:
        before = {task["id"]: task["updated_at"] for task in self.tasks()}
        HEARD.clear()
        used, began = self.seconds(), time.monotonic()
        way.write()
        spent, lasted = self.seconds() - used, time.monotonic() - began
        time.sleep(0.5)
        heard = sorted(set(HEARD)) or "none"
        moved = sum(task["updated_at"] != before[task["id"]] for task in self.tasks())
        columns = self.api.call("GET", f"/api/dm/columns?project={self.project}")["columns"]
        shown = next((one for one in columns if one["id"] == way.column.removeprefix("data.")), None)
        column = (
            f"{shown['type']}, {'shown' if shown['visibility_defaults']['explore'] else 'hidden'}" if shown else "no"
        )
        return (
            f"| {way.name} | {spent / TASKS * 1000:.1f} | {lasted / TASKS * 1000:.1f} | {heard} | {moved} | {column} | "
            f"{self.matching(way)} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    home, port = options.folder.resolve(), free_port()
    account, url = Account.of(home), f"http://127.0.0.1:{port}"
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    server = label_studio(home, port, account)
    server.start()
    try:
        server.wait_until(Waiting(url, print), seconds=300)
        assert server.pid
        api = LabelStudio(url, account.token)
        print_ways(Site(api, server.pid, f"http://127.0.0.1:{listener.server_address[1]}/"))
        api.close()
    finally:
        server.stop()
        listener.shutdown()


def values(site: Site) -> dict[int, float]:
    """A value in hundredths for each task, in no order of the ids."""
    return {number: (row * 37 % 100) / 100 for row, number in enumerate(site.ids)}


def print_ways(site: Site) -> None:
    api, wanted = site.api, values(site)
    data = {task["id"]: task["data"] for task in site.tasks()}

    def one_by_one(field: str, key: str) -> None:
        for number, value in wanted.items():
            held = data[number] if field == "data" else {"own": 1}
            api.call("PATCH", f"/api/tasks/{number}/", json={field: {**held, key: value}})

    def by_action() -> None:
        for value in sorted(set(wanted.values())):
            ids = [number for number, held in wanted.items() if held == value]
            site.act("add_data_field", ids, value_name="by_action", value_type="Number", value=value)

    def by_name() -> None:
        api.call("PATCH", f"/api/projects/{site.project}/", json={"model_version": "v1"})

    def two_values() -> None:
        site.act("add_data_field", site.ids[:100], value_name="few", value_type="String", value="yes")
        site.act("add_data_field", site.ids[100:], value_name="few", value_type="String", value="no")

    def predictions() -> None:
        sent = [
            {"task": number, "result": [], "score": score, "model_version": "v1"} for number, score in wanted.items()
        ]
        api.call("POST", f"/api/projects/{site.project}/import/predictions", json=sent)

    ways = [
        Way("`PATCH` of `meta`", lambda: one_by_one("meta", "tagloom"), "meta.tagloom", ordered_by=wanted.__getitem__),
        Way("`PATCH` of `data`", lambda: one_by_one("data", "patched"), "data.patched", ordered_by=wanted.__getitem__),
        Way("action, 100 values", by_action, "data.by_action", ordered_by=wanted.__getitem__),
        Way(
            "action, 2 values", two_values, "data.few", "Unknown", "yes", "equal", lambda task: -(task <= site.ids[99])
        ),
        Way("predictions' `score`", predictions, "predictions_score", ordered_by=wanted.__getitem__),
        Way("the same, `model_version` of the project", by_name, "predictions_score", ordered_by=wanted.__getitem__),
        Way("predictions' `model_version`", lambda: None, "predictions_model_versions", "List", ["v1"], "contains"),
        Way("predictions' `result`", lambda: None, "predictions_results", "String", "yes", "contains"),
    ]
    print("| way | CPU ms a task | ms a task | webhooks | `updated_at` moved | column | filter | order |")
    print("|---|---|---|---|---|---|---|---|")
    for way in ways:
        print(site.line(way), flush=True)
    for name, method, path, body in (
        (
            "one page of the list without annotations",
            "GET",
            f"/api/tasks/?project={site.project}&page_size={TASKS}",
            None,
        ),
        ("`summary/reset`", "POST", f"/api/projects/{site.project}/summary/reset/", {}),
    ):
        used = site.seconds()
        api.call(method, path, json=body)
        print(f"{name}: {(site.seconds() - used) / TASKS * 1000:.2f} ms a task")
    api.call("POST", f"/api/tasks/{site.ids[0]}/annotations/", json={"result": []})
    (exported,) = api.call("GET", f"/api/projects/{site.project}/export?exportType=JSON_MIN")
    print(f"an export (JSON_MIN) has the keys {', '.join(exported)}")


if __name__ == "__main__":
    main()
