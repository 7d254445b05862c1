"""A forgotten project leaves nothing behind, other projects lose nothing, and a killed forget is completed."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from redis import Redis
from rq import Queue

import worker.training.run
from labelstudio.api import LabelStudioError
from labelstudio.changes import tasks_of
from labelstudio.config import LabelConfig
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.boxes.described import RECENT
from model.boxes.roles import RoleReader
from model.features.cache import FeatureCache
from model.lexicon.names import with_names
from store.projects import Project
from store.store import Store
from tagloom_base.settings import Settings
from testing.label_studio.simulator import SimulatedLabelStudio
from testing.shop import SHOP
from testing.waiting import until
from tests.worker import shop
from tests.worker.crew import crew
from tests.worker.progress import begin, training
from worker import forgetting, forgotten, jobs, timer
from worker.forgotten import DAY_S, KILLED_S, LINGER_S, Mark
from worker.lexicon import read_lexicon
from worker.workplace import Workplace, open_workplace

# Each begins with a project that was trained.
pytestmark = pytest.mark.slow

KEY = str(shop.KEY)
OTHER = ProjectKey("default", 7, 1795288700)
DAYS = 30


@pytest.fixture
def workplace(store: Store, settings: Settings, here: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    """Two trained projects of one Label Studio; the last three of the first one's ten items are in the second, too."""
    monkeypatch.setattr(RECENT, "_kept", OrderedDict())  # other tests may have described the same
    shop.open_shop(store, settings, tasks=10)
    shop.annotate(store, range(1, 9))
    store.projects.ensure(str(OTHER), shop.CONFIG, "another shop")
    store.tasks.upsert(str(OTHER), tasks_of([shop.payload(number) for number in range(8, 14)]))
    cache = FeatureCache(settings.paths.features, shop.SPACE)
    for number in range(11, 14):
        cache.put(key_of(number), SHOP.item(number)[0])
    shop.cold_start(settings, store, key=OTHER)
    jobs.train(KEY)
    lexicon = with_names(read_lexicon(None), LabelConfig.parse(shop.CONFIG).names)
    with open_workplace(settings) as opened:
        for number in range(1, 14):
            RECENT.of(replace(SHOP.item(number)[0]), RoleReader(lexicon))
        yield opened


def key_of(number: int) -> str:
    config = LabelConfig.parse(shop.CONFIG)
    return item_key("default", reference_of(config, shop.payload(number), shop.KEY))


def left(settings: Settings) -> set[str]:
    """Files that speak of the forgotten project: in folders of its name, and features that are its own."""
    home = settings.paths.home
    own = {key_of(number) for number in range(1, 8)}
    found = [path for path in home.rglob("*") if path.is_file()]
    return {
        path.relative_to(home).as_posix()
        for path in found
        if path.parent.name != "forgotten"
        and (KEY in path.as_posix() or shop.KEY.connection + "-2-" in path.name + path.parent.name or path.stem in own)
    }


def has_features(settings: Settings) -> list[int]:
    cache = FeatureCache(settings.paths.features, shop.SPACE)
    return [number for number in range(1, 14) if cache.has(key_of(number))]


def project_of(store: Store, key: str = KEY) -> Project:
    found = store.projects.get(key)
    assert found
    return found


def test_all_goes_and_what_others_use_stays(workplace: Workplace, settings: Settings) -> None:
    store = workplace.store
    held = forgetting.holdings(workplace, project_of(store))
    assert held.rows["annotations"] == 8
    assert held.features[0] == 7
    assert {"checkpoints", "neighbours"} <= set(held.files)
    assert left(settings)
    others = store.versions.list(str(OTHER))
    descriptions = len(list(settings.paths.descriptions.rglob("*.safetensors")))

    assert forgetting.forget(workplace, project_of(store))

    assert left(settings) == set()
    assert store.removal.rows(KEY) == {}
    assert store.projects.get(KEY) is None
    assert has_features(settings) == list(range(8, 14))
    assert len(list(settings.paths.descriptions.rglob("*.safetensors"))) == descriptions - 7
    assert store.versions.list(str(OTHER)) == others
    assert all((settings.paths.checkpoints / version.folder).is_dir() for version in others)
    assert store.tasks.count(str(OTHER)) == 6


@pytest.mark.parametrize("step", ["_delete_features", "_delete_folders", "remove", "last folders"])
def test_a_forget_that_is_killed_anywhere_is_completed_by_the_next(
    step: str, workplace: Workplace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    calls = []

    def die(*_: object) -> bool:
        calls.append(step)
        if step != "last folders" or len(calls) == 2:
            raise Killed
        return True

    with monkeypatch.context() as patched:
        if step == "remove":
            patched.setattr(workplace.store.removal, "remove", die)
        else:
            patched.setattr(forgetting, "_delete_folders" if step == "last folders" else step, die)
        with pytest.raises(Killed):
            forgetting.forget(workplace, project_of(workplace.store))
    assert jobs.train(KEY) == jobs.encode(KEY) == "the project was forgotten", "nothing works on half a project"
    (mark,) = forgotten.marks(settings.paths.home)
    assert forgetting.complete(workplace, mark)
    assert left(settings) == set()
    assert workplace.store.removal.rows(KEY) == {}
    assert has_features(settings) == list(range(8, 14))


@pytest.mark.parametrize("moment", ["assemble", "doubtful"])
def test_a_training_that_runs_meanwhile_brings_nothing_back(
    moment: str,
    workplace: Workplace,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    moved: Callable[[float], None],
) -> None:
    shop.annotate(workplace.store, [9])
    begun = getattr(worker.training.run, moment)

    def forget_first(*arguments: object) -> object:
        found = begun(*arguments) if moment == "assemble" else None
        assert forgetting.forget(workplace, project_of(workplace.store))
        return found or begun(*arguments)

    monkeypatch.setattr(worker.training.run, moment, forget_first)
    assert jobs.train(KEY) == "the project was forgotten"
    assert workplace.store.removal.rows(KEY) == {}
    # What it wrote to the disk afterwards goes when no job can run any more.
    moved(LINGER_S + 1)
    assert jobs.forget(KEY) == "forgotten"
    assert left(settings) == set()
    assert forgotten.marks(settings.paths.home) == []


def test_a_project_that_returns_after_a_kill_is_a_new_one(workplace: Workplace, settings: Settings) -> None:
    store = workplace.store
    old = project_of(store)
    assert forgetting.forget(workplace, old)
    mark = Mark.read(settings.paths.home, KEY)
    assert mark
    store.projects.ensure(KEY, shop.CONFIG, "shop")
    shop.cold_start(settings, store)
    assert forgetting.complete(workplace, replace(mark, is_done=False))
    assert forgotten.marks(settings.paths.home) == []
    current = store.versions.current(KEY)
    assert current
    assert (settings.paths.checkpoints / current.folder).is_dir()
    assert not forgotten.is_forgotten(settings.paths.home, KEY, project_of(store))


def test_features_stay_while_it_is_unclear_who_uses_them(workplace: Workplace, settings: Settings) -> None:
    workplace.store.projects.ensure("default/8.8", "<View/>")
    assert forgetting.holdings(workplace, project_of(workplace.store)).unclear == "default/8.8"
    assert forgetting.forget(workplace, project_of(workplace.store))
    assert has_features(settings) == list(range(1, 14))


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedLabelStudio]:
    """A Label Studio with one project, whose number is that of the shop, which it does not have."""
    with SimulatedLabelStudio(shop.CONFIG, "http://127.0.0.1:1") as opened:
        monkeypatch.setenv("LABEL_STUDIO_URL", opened.url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", opened.token)
        monkeypatch.setenv("TAGLOOM_FORGET_DAYS", str(DAYS))
        yield opened


def its_key(studio: SimulatedLabelStudio) -> str:
    return f"default/{studio.project.key}"


@pytest.mark.usefixtures("here")
def test_the_rule_forgets_what_is_gone_for_long_enough_and_nothing_else(
    store: Store, settings: Settings, studio: SimulatedLabelStudio, moved: Callable[[float], None]
) -> None:
    shop.open_shop(store, settings, tasks=2)
    assert jobs.forget(KEY) == "kept: it is not due", "Label Studio was not asked yet"
    store.projects.note_presence(KEY, is_there=False)
    moved(DAYS * DAY_S / 2)
    store.projects.note_presence(KEY, is_there=False)
    assert jobs.forget(KEY) == "kept: it is not due"
    moved(DAYS * DAY_S / 2 + 1)
    assert "right Label Studio" in jobs.forget(KEY), "it has nothing that Tagloom knows"
    studio.is_away = True
    with pytest.raises(LabelStudioError):
        jobs.forget(KEY)
    studio.is_away = False
    store.projects.ensure(its_key(studio), shop.CONFIG)
    assert jobs.forget(KEY) == "forgotten"
    assert [project.key for project in store.projects.all()] == [its_key(studio)]
    assert jobs.forget(KEY) == "forgotten", "asked twice"


@pytest.mark.usefixtures("here")
def test_the_rule_keeps_a_project_that_label_studio_has_again(
    store: Store, studio: SimulatedLabelStudio, moved: Callable[[float], None]
) -> None:
    store.projects.ensure(its_key(studio), shop.CONFIG)
    store.projects.note_presence(its_key(studio), is_there=False)
    moved(DAYS * DAY_S + 1)
    assert jobs.forget(its_key(studio)) == "kept: Label Studio has it again"
    assert store.projects.gone() == set()


def woken(settings: Settings, redis: Redis) -> list[str]:
    """The projects for which a forgetting job waits; the queue is empty afterwards."""
    queued = Queue(settings.work.queue, connection=redis, serializer="json")
    found = [str(job.args[0]) for job in queued.jobs if job and job.func_name == "worker.jobs.forget"]
    redis.flushall()
    return found


def tick(settings: Settings, store: Store) -> None:
    """As after the interval."""
    store.leases.revoke("timer")
    timer.tick(settings, store, "test")


def test_the_timer_applies_the_rule_once_an_hour(
    store: Store, settings: Settings, redis: Redis, moved: Callable[[float], None]
) -> None:
    store.projects.ensure(KEY, shop.CONFIG)
    store.projects.ensure(str(OTHER), shop.CONFIG)
    store.projects.note_presence(KEY, is_there=False)
    moved(DAYS * DAY_S + 1)
    tick(settings, store)
    assert woken(settings, redis) == [], "by itself nothing is forgotten"
    settings = settings.changed(forget_days=float(DAYS))
    tick(settings, store)
    assert woken(settings, redis) == [KEY]
    tick(settings, store)
    assert woken(settings, redis) == []
    moved(timer.FORGET_PAUSE_S + 1)
    tick(settings, store)
    assert woken(settings, redis) == [KEY]


def test_the_timer_lets_a_killed_forget_be_completed(
    store: Store, settings: Settings, redis: Redis, moved: Callable[[float], None]
) -> None:
    Mark(KEY, 1.0, store.now()).write(settings.paths.home)
    tick(settings, store)
    assert woken(settings, redis) == [], "it may run at this moment"
    moved(KILLED_S + 1)
    tick(settings, store)
    assert woken(settings, redis) == [KEY]


def test_a_forget_that_fails_is_woken_once_an_hour_too(
    workplace: Workplace,
    settings: Settings,
    redis: Redis,
    moved: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, settings = workplace.store, settings.changed(forget_days=float(DAYS))
    store.projects.note_presence(KEY, is_there=False)
    moved(DAYS * DAY_S + 1)
    tick(settings, store)
    assert woken(settings, redis) == [KEY]
    project = store.projects.get(KEY)
    assert project
    monkeypatch.setattr(forgetting, "_delete_features", _refused)
    with pytest.raises(PermissionError):
        forgetting.forget(workplace, project)
    tick(settings, store)
    assert woken(settings, redis) == []


def _refused(*_: object) -> None:
    raise PermissionError("features of another user")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("here")
def test_a_stock_workers_training_ends_and_leaves_nothing(
    store: Store, settings: Settings, redis: Redis, moved: Callable[[float], None]
) -> None:
    with crew(settings) as stock, open_workplace(settings) as opened:
        begin(store, settings)
        until(lambda: training(settings) >= 2, every=0.01)
        assert forgetting.forget(opened, project_of(store))
        until(lambda: not stock.horse(), seconds=60)
        assert "Traceback" not in stock.log.read_text("utf-8")
        assert "Job OK (train-" in stock.log.read_text("utf-8")
    assert store.removal.rows(KEY) == {}
    moved(LINGER_S + 1)
    assert jobs.forget(KEY) == "forgotten"
    assert left(settings) == set()
