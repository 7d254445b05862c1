from labelstudio.kept import Kept


def test_the_last_used_stay_up_to_a_number_and_a_weight() -> None:
    kept: Kept[str, int] = Kept(3, 10)
    for number, key in enumerate("abc"):
        assert kept.made(key, 1, lambda number=number: number) == number  # type: ignore[misc]
    assert kept.get("a") == 0
    kept.put("d", 3, 1)
    assert [kept.get(key) for key in "abcd"] == [0, None, 2, 3]
    kept.put("e", 4, 9)
    assert [kept.get(key) for key in "acde"] == [None, None, 3, 4]
    kept.put("e", 5, 2)
    kept.put("f", 6, 7)
    assert [kept.get(key) for key in "def"] == [3, 5, 6]


def test_what_weighs_more_than_all_may_is_not_kept() -> None:
    kept: Kept[str, int] = Kept(3, 10)
    assert kept.made("a", 11, lambda: 1) == 1
    assert kept.get("a") is None


def test_what_is_dropped_weighs_nothing_any_more() -> None:
    kept: Kept[str, int] = Kept(3, 10)
    kept.put("a", 1, 9)
    kept.drop("a")
    kept.drop("b")
    kept.put("c", 2, 10)
    assert [kept.get(key) for key in "abc"] == [None, None, 2]
