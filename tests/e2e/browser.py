"""Label Studio as an annotator sees it: a page in headless Chromium."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from model.items import Box, LabelledBox
from tests.e2e.conftest import Running

# No sandbox: CI runs as root. The rest keeps Chromium from calling hosts of its own.
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

# Rectangles as drawn: Konva holds one node per region, named by the region's id.
_DRAWN = """() => Konva.stages[0].find('Rect').filter(node => node.name().includes('_transformable')).map(node => {
    const box = node.getClientRect({skipStroke: true});
    return [box.x, box.y, box.x + box.width, box.y + box.height];
})"""

# What is painted, whatever the editor believes: the extent of the non-transparent pixels of all canvases that hold
# neither the picture (it covers its whole area) nor nothing.
_PAINTED = """() => {
    const extents = [];
    for (const canvas of document.querySelectorAll('canvas')) {
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
        for (let y = 0; y < canvas.height; y++) for (let x = 0; x < canvas.width; x++)
            if (pixels[(y * canvas.width + x) * 4 + 3] > 0) {
                left = Math.min(left, x); right = Math.max(right, x + 1);
                top = Math.min(top, y); bottom = Math.max(bottom, y + 1);
            }
        if (right >= 0) extents.push([left, top, right, bottom]);
    }
    return extents;
}"""

_SHOWN_SIZE = "() => { const image = Htx.annotationStore.selected.objects.find(o => o.type === 'image');" \
    " return [image.stageWidth, image.stageHeight]; }"  # fmt: skip

_TAGS = "() => [...document.querySelectorAll('.lsf-choices input[type=checkbox], .lsf-choice input')]" \
    ".filter(box => box.checked).map(box => box.name)"  # fmt: skip

# All rectangles of the open annotation: label, x, y, width, height in percent.
_BOXES = """() => [...Htx.annotationStore.selected.areas.values()].filter(area => area.type === 'rectangleregion')
    .map(area => [area.labelName, area.x, area.y, area.width, area.height])"""

_SMART = """() => Htx.annotationStore.selected.objects.find(o => o.type === 'image').getToolsManager()
    .findSelectedTool()?.dynamic === true"""


@dataclass(frozen=True)
class Shown:
    """What the editor shows of one task: ticked tags, rectangles in pixels, the picture's size in pixels."""

    tags: frozenset[str]
    rectangles: tuple[tuple[float, float, float, float], ...]
    painted: tuple[tuple[float, float, float, float], ...]
    width: float
    height: float


class Annotator:
    """A logged-in annotator with one page."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._url = url

    def log_in(self, email: str, password: str) -> None:
        self._page.goto(f"{self._url}/user/login/")
        self._page.fill("input[name=email]", email)
        self._page.fill("input[name=password]", password)
        self._page.click("button[type=submit]")
        self._page.wait_for_url(lambda url: "login" not in url)

    def open(self, project: int, task: int) -> Shown:
        """Open a task from the list (quick view) and read what it shows."""
        self._page.goto(f"{self._url}/projects/{project}/data?task={task}")
        return self._read()

    def label_all(self, project: int) -> tuple[int, Shown]:
        """Press "Label All Tasks" and read the task that Label Studio chooses: its id and what it shows."""
        self._page.goto(f"{self._url}/projects/{project}/data")
        self._page.locator("button", has_text=re.compile("Label All Tasks")).first.click()
        shown = self._read()
        return int(self._page.evaluate("() => Htx.task.id")), shown

    def rows(self, project: int, tab: int, most: int) -> list[int]:
        """Open a tab of the task list; return the first tasks that it shows."""
        self._page.goto(f"{self._url}/projects/{project}/data?tab={tab}")
        shown = self._page.locator(".lsf-table-row")
        shown.first.wait_for()
        return [int(row.inner_text().split()[0]) for row in shown.all()[:most]]

    def label_as_displayed(self) -> int:
        """Choose "Label Tasks As Displayed" in the open tab; return the task that Label Studio chooses."""
        button = self._page.locator("button", has_text=re.compile("Label All Tasks")).first.bounding_box()
        assert button
        # The arrow beside it has no name.
        self._page.mouse.click(button["x"] + button["width"] + 10, button["y"] + button["height"] / 2)
        self._page.get_by_text("Label Tasks As Displayed").first.click()
        self._read()
        return int(self._page.evaluate("() => Htx.task.id"))

    def untick(self, tag: str) -> None:
        """Take a tag away from the task that is open."""
        self._page.locator(f"input[name='{tag}']").first.click(force=True)
        self._page.wait_for_function(f"tag => !({_TAGS})().includes(tag)", arg=tag)

    def submit(self) -> None:
        """Press Submit and wait until Label Studio has answered."""
        with self._page.expect_response(
            lambda answer: "/annotations" in answer.url and answer.request.method == "POST"
        ) as made:
            self._page.locator("button", has_text=re.compile(r"^\s*Submit\s*$")).click()
        assert made.value.status == 201, made.value.text()

    def assist(self, *, accept: bool) -> None:
        """Switch Auto-Annotation on, its answers accepted by themselves or not, and take the Auto-Detect tool."""
        for switched, wanted, name in (
            ("Htx.autoAnnotation", True, "auto-annotation"),
            ("Htx.autoAcceptSuggestions", accept, "auto-accept"),
        ):
            if self._page.evaluate(switched) is not wanted:
                self._page.get_by_test_id(f"bottombar-{name}-toggle").click()
            self._page.wait_for_function(f"() => {switched} === {str(wanted).lower()}")
        if not self._page.evaluate(_SMART):
            self._page.locator(".lsf-tool_smart").first.click()
        self._page.wait_for_function(_SMART)

    def draw(self, label: str, x: float, y: float, width: float, height: float) -> int:
        """Draw a box with the Auto-Detect tool, in percent of the picture; how many suggestions come for it."""
        self._page.keyboard.press("Escape")
        self._page.locator(".lsf-labels .lsf-label", has_text=label).first.click()
        corner = self._page.evaluate(
            "() => { const at = Konva.stages[0].content.getBoundingClientRect(); return [at.x, at.y]; }"
        )
        size = self._page.evaluate(_SHOWN_SIZE)
        points = [
            (corner[0] + size[0] * (x + width * part) / 100, corner[1] + size[1] * (y + height * part) / 100)
            for part in (0, 0.5, 1)
        ]
        self._page.keyboard.down("Control")  # else a box below is moved
        with self._page.expect_response(lambda answer: "interactive-annotating" in answer.url):
            self._page.mouse.move(*points[0])
            self._page.mouse.down()
            for point in points[1:]:
                self._page.mouse.move(*point, steps=4)
                self._page.wait_for_timeout(100)  # the editor looks at the pointer 20 times a second
            self._page.mouse.up()
        self._page.keyboard.up("Control")
        self._page.wait_for_function("() => !Htx.awaitingSuggestions")
        return int(self._page.evaluate("() => Htx.annotationStore.selected.suggestions.size"))

    def accept(self) -> None:
        """Accept all suggestions."""
        self._page.get_by_test_id("bottombar-accept-suggestions-button").click()

    def boxes(self) -> list[LabelledBox]:
        """The rectangles of the open annotation, once the editor has been left in peace for a moment."""
        self._page.wait_for_timeout(1500)
        return [
            LabelledBox(label, Box(x / 100, y / 100, (x + width) / 100, (y + height) / 100))
            for label, x, y, width, height in self._page.evaluate(_BOXES)
        ]

    def errors(self) -> list[str]:
        """Error boxes on the page."""
        return [
            box.inner_text()
            for box in self._page.locator(".ls-modal, .lsf-error, [class*=toast]:visible").all()
            if box.is_visible()
        ]

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._page.screenshot(path=str(path))

    def _read(self) -> Shown:
        self._page.wait_for_function("() => window.Htx?.annotationStore?.selected && window.Konva?.stages?.length > 0")
        self._page.wait_for_function(f"() => ({_SHOWN_SIZE})()[0] > 1")
        self._page.wait_for_timeout(1500)  # the editor scales the picture once more after it has loaded
        width, height = self._page.evaluate(_SHOWN_SIZE)
        return Shown(
            tags=frozenset(self._page.evaluate(_TAGS)),
            rectangles=_boxes(self._page.evaluate(_DRAWN)),
            painted=_boxes(self._page.evaluate(_PAINTED)),
            width=width,
            height=height,
        )


def _boxes(raw: list[list[float]]) -> tuple[tuple[float, float, float, float], ...]:
    return tuple(sorted((box[0], box[1], box[2], box[3]) for box in raw))


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium with a new profile."""
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert executable, "Chromium is missing: run scripts/browser"
    with sync_playwright() as playwright:
        options: dict[str, Any] = {"executable_path": executable, "args": _ARGUMENTS}
        browser = playwright.chromium.launch(**options)
        yield browser
        browser.close()


@contextmanager
def annotator(url: str, email: str, password: str) -> Iterator[Annotator]:
    """A browser with a logged-in annotator."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1500, "height": 1150})
        page.set_default_timeout(60_000)
        person = Annotator(page, url)
        person.log_in(email, password)
        yield person


def signed_in(browser: Browser, running: Running, **options: Any) -> Page:
    """A page of the overview, signed in by keyboard: the field for the token has the focus."""
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(30_000)
    page.goto(running.backend_url)
    page.wait_for_function("() => document.activeElement.id === 'token'")
    page.keyboard.type(running.account.token)
    page.keyboard.press("Enter")
    page.wait_for_selector("#now")
    return page
