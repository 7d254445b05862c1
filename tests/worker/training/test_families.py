from worker.corpus.families import family_of, is_held_out


def test_views_with_one_title_are_one_family() -> None:
    assert family_of("Nova 水杯 500ml！", {}, 1) == family_of(" nova水杯500ML", {}, 2)
    assert family_of("Nova 水杯", {}, 1) != family_of("Nova 茶杯", {}, 2)


def test_a_named_key_counts_before_the_title_and_a_task_without_either_is_alone() -> None:
    assert family_of("a", {"product": "p1"}, 1, "product") == family_of("b", {"product": "P1"}, 2, "product")
    assert family_of("", {}, 1) != family_of("", {}, 2)
    assert family_of("…", {"product": None}, 1, "product") == "task 1"


def test_the_share_held_out_is_about_what_was_asked_for_and_grows_by_adding_only() -> None:
    families = [f"family {number}" for number in range(5000)]
    fifth = {family for family in families if is_held_out(family, 0.2)}
    assert 0.17 < len(fifth) / len(families) < 0.23
    assert fifth < {family for family in families if is_held_out(family, 0.3)}
    assert not any(is_held_out(family, 0.0) for family in families)
