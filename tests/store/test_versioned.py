from sqlalchemy import event

from store.answers import Answer
from store.leases import Lease, lease_name
from store.store import Store
from store.tables import ANSWERS
from store.versioned import delete_others

KEY, OTHER = "default/2.1", "default/3.1"
LEFT = 3000


def answers(version: str, count: int) -> list[Answer]:
    return [Answer(task, version, "k", 0.5, (), {}, (), task, False) for task in range(count)]


def leased(store: Store) -> Lease:
    lease = store.leases.acquire(lease_name("predict", KEY), "a", 60)
    assert lease
    return lease


def test_other_versions_go_and_other_projects_stay(store: Store) -> None:
    lease = leased(store)
    for version in ("v1.a", "v2.b", "v10.c"):
        store.answers.put(KEY, answers(version, 700), lease)
    store.answers.put(OTHER, answers("v1.a", 2), lease)
    delete_others(store._database, ANSWERS, KEY, ["v2.b"], lease)
    counts = {version: len(store.answers.keys(KEY, version, range(700))) for version in ("v1.a", "v2.b", "v10.c")}
    assert counts == {"v1.a": 0, "v2.b": 700, "v10.c": 0}
    assert len(store.answers.keys(OTHER, "v1.a", range(700))) == 2
    delete_others(store._database, ANSWERS, KEY, [], lease)
    assert store.answers.keys(KEY, "v2.b", range(700)) == {}


def test_where_nothing_goes_nothing_is_written_and_few_rows_are_read(store: Store) -> None:
    lease = leased(store)
    store.answers.put(KEY, answers("v1.a", LEFT), lease)
    store.answers.put(KEY, answers("v2.b", LEFT), lease)
    said: list[str] = []
    engine = store._database.engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: said.append(statement))
    delete_others(store._database, ANSWERS, KEY, ["v1.a", "v2.b"], lease)
    asked = [statement for statement in said if "answers" in statement]
    assert len(asked) == 3, asked
    assert all("min(" in statement for statement in asked)
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        plan = "EXPLAIN QUERY PLAN SELECT min(version) FROM answers WHERE project_key = 'a' AND version > 'v1'"
        told = " ".join(str(row) for row in connection.exec_driver_sql(plan))
    assert "SEARCH answers USING COVERING INDEX answers_by_" in told
