from concurrent.futures import ThreadPoolExecutor

from store.database import Database
from store.store import Store
from tests.store.upgrades import turn_old


def test_of_several_first_choices_one_is_kept_by_all(url: str) -> None:
    stores = [Store.open(url) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        names = [{"image": f"image {number}", "text": f"text {number}"} for number in range(8)]
        kept = list(pool.map(lambda number: stores[number % 4].encoders.keep(names[number]), range(8)))
    assert kept == [kept[0]] * 8
    assert kept[0] in names, "both parts are of one process"
    for store in stores:
        store.close()


def test_what_is_kept_stays_until_it_is_replaced(store: Store) -> None:
    assert store.encoders.kept() == {}
    assert store.encoders.keep({"image": "a"}) == {"image": "a"}
    assert store.encoders.keep({"image": "b", "text": "c"}) == {"image": "a", "text": "c"}
    store.encoders.replace({"image": "b"})
    assert store.encoders.kept() == {"image": "b", "text": "c"}


def test_a_home_of_an_earlier_release_keeps_the_encoders_that_it_had(tmp_path: object) -> None:
    for name, projects, kept in (("used", 1, {"image": "shipped", "text": "shipped"}), ("unused", 0, {})):
        url = f"sqlite:///{tmp_path}/{name}.db"
        store = Store.open(url)
        for number in range(projects):
            store.projects.ensure(f"default/{number}.1", "<View/>")
        store.close()
        turn_old(url, "0011")
        Database(url).close()
        store = Store.open(url)
        assert store.encoders.kept() == kept
        store.close()
