"""What people and Label Studio ask of a backend: every page, and every request. Each is timed on the clock."""

import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

TURNS = 3
"""How often each page is looked at: the first time templates and indexes are read."""
PATIENCE_S = 120.0


@dataclass
class Seconds:
    """How long each request of one name took, in the order of asking."""

    all: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.all)

    @property
    def worst(self) -> float:
        return max(self.all)


Looks = dict[str, Seconds]


class Visitor:
    """A person who is signed in to the pages, and Label Studio, of one project (``id`` as its pages name it)."""

    def __init__(self, url: str, token: str, project: str, xml: str, labels: Sequence[str]) -> None:
        self._project, self._xml, self._labels = project, xml, labels
        self._http = httpx.Client(base_url=url, follow_redirects=True, timeout=PATIENCE_S)
        form = self._http.get("/pages/sign-in", headers={"accept": "text/html"})
        found = re.findall(r'name="form_token" value="([0-9a-f]+)"', form.text)
        fields = {"form_token": found[-1], "connection": "default", "token": token}
        self._http.post("/pages/sign-in", data=fields).raise_for_status()

    def close(self) -> None:
        self._http.close()

    def places(self, task: int, middle: int) -> dict[str, str]:
        """Return the address of each page and request by its name, by some task and the one in the middle."""
        at, version = f"id={self._project}", self.version()
        label, pages = quote(self._labels[0]), "/pages/"
        return {
            "overview": pages,
            "overview, what runs": f"{pages}now",
            "project": f"{pages}project?{at}",
            "version": f"{pages}version?{at}&version={version}",
            "gallery, all": f"{pages}gallery?{at}",
            "gallery, wrong ones, surest first": f"{pages}gallery?{at}&verdict=wrong&order=-score",
            "gallery, right ones": f"{pages}gallery?{at}&verdict=right",
            "gallery, unlabelled with a label, 20 to 90 %": (
                f"{pages}gallery?{at}&verdict=unlabelled&label={label}&from=20&to=90"
            ),
            "gallery, changed by a source, from the middle on": (
                f"{pages}gallery?{at}&source=cue&changed=1&after=0.5:{middle}"
            ),
            "gallery, by task from the middle on": f"{pages}gallery?{at}&order=task&after=0.5:{middle}",
            "task": f"{pages}task?{at}&task={task}",
            "doubts": f"{pages}doubts?{at}",
            "review": f"{pages}review?{at}",
            "history": f"{pages}done?{at}",
            "search, like a task": f"{pages}similar?{at}&task={task}",
            "search, by words": f"{pages}similar?{at}&text=%E4%BF%9D%E6%B8%A9%E6%9D%AF&fold=products",
            "search, by a label, page 40": f"{pages}similar?{at}&text={label}&page=40",
            "search, unlabelled ones like a task": f"{pages}similar?{at}&task={task}&labelled=no",
            "/similar": f"/similar?project={self._project}&task={task}",
            "/status": "/status",
            "/health": "/health",
            "/metrics": "/metrics",
        }

    def look(self, task: int, middle: int) -> Looks:
        """Ask for everything TURNS times."""
        found: Looks = {}
        for name, place in self.places(task, middle).items():
            found[name] = self._timed(lambda place=place: self._get(place), TURNS)  # type: ignore[misc]
        return found

    def version(self) -> str:
        """Return the version that serves."""
        (project,) = self._http.get("/status").json()["projects"]
        return str(project["serving"] or project["version"])

    def predict(self, tasks: Sequence[Mapping[str, Any]]) -> Seconds:
        """Ask for the answers to these tasks, one by one, as Label Studio does when a task is opened."""
        seconds = Seconds()
        for task in tasks:
            body = {
                "tasks": [task],
                "project": self._project,
                "label_config": self._xml,
                "params": {"login": None, "password": None, "context": None},
            }
            seconds.all += self._timed(lambda body=body: self._post("/predict", body), 1).all  # type: ignore[misc]
        return seconds

    def setup(self, turns: int) -> Seconds:
        """Ask as Label Studio does before each task."""
        body = {"project": self._project, "schema": self._xml, "hostname": "", "access_token": "", "extra_params": None}
        return self._timed(lambda: self._post("/setup", body), turns)

    def counted(self, route: str) -> tuple[float, float]:
        """Return how often a route was asked, and how many seconds that took in all, by the backend's own clock."""
        text, found = self._http.get("/metrics").text, []
        for what in ("count", "sum"):
            match = re.search(rf'^tagloom_request_seconds_{what}{{route="{route}"}} (\S+)$', text, re.MULTILINE)
            found.append(float(match[1]) if match else 0.0)
        return found[0], found[1]

    def _get(self, place: str) -> None:
        headers = {"accept": "text/html"} if place.startswith("/pages") else {}
        self._require(self._http.get(place, headers=headers))

    def _post(self, place: str, body: Mapping[str, Any]) -> None:
        self._require(self._http.post(place, json=body))

    @staticmethod
    def _require(answer: httpx.Response) -> None:
        # A page may have nothing to show yet (422), which is an answer; a failure is none.
        if answer.status_code >= 500 or "/sign-in" in str(answer.url):
            raise RuntimeError(f"{answer.url} answered {answer.status_code}: {answer.text[:300]}")

    @staticmethod
    def _timed(ask: Callable[[], None], turns: int) -> Seconds:
        seconds = Seconds()
        for _ in range(turns):
            began = time.perf_counter()
            ask()
            seconds.all.append(time.perf_counter() - began)
        return seconds
