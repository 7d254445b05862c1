import pytest

from labelstudio.proposals import NO_TAG, NOT_TICKED, TICKED, mark_of, proposed_by, region_id, region_seed

SEED = region_seed("default/1.2", 7, "v3.abcd")


@pytest.mark.parametrize("tag", [TICKED, NOT_TICKED, NO_TAG])
def test_a_mark_comes_back_from_its_id(tag: str) -> None:
    mark = mark_of(region_id(SEED, 11, 20, tag))
    assert mark is not None
    assert (mark.ticked, mark.number, mark.total) == (tag == TICKED, 11, 20)
    assert proposed_by(mark, "default/1.2", 7, ["v2.0000", "v3.abcd"]) == "v3.abcd"


def test_another_tasks_or_projects_proposal_is_nobodys() -> None:
    mark = mark_of(region_id(SEED, 0, 1, NO_TAG))
    assert mark is not None
    assert proposed_by(mark, "default/1.2", 8, ["v3.abcd"]) == ""
    assert proposed_by(mark, "default/9.9", 7, ["v3.abcd"]) == ""
    assert proposed_by(mark, "default/1.2", 7, ["v2.0000"]) == ""


@pytest.mark.parametrize("identity", ["587fc8f346", "r1", "", None, 5, ["a"], "587fc8f346x0102", "587fc8f346t01029"])
def test_ids_of_others_carry_no_mark(identity: object) -> None:
    assert mark_of(identity) is None


def test_ids_differ_and_large_proposals_have_plain_ones() -> None:
    assert len({region_id(SEED, number, 255, NO_TAG) for number in range(255)}) == 255
    assert mark_of(region_id(SEED, 3, 300, NO_TAG)) is None
