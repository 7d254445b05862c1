from worker.corpus.kin import joined


def test_products_and_look_alikes_are_joined_in_chains() -> None:
    families = {1: "mug", 2: "mug", 3: "pot", 4: "pot", 5: "lamp", 6: "sock"}
    names = joined(families, {1: 1, 2: 2, 3: 2, 4: 4, 5: 5, 6: 99})
    assert names.keys() == families.keys()
    assert len({names[number] for number in (1, 2, 3, 4)}) == 1
    assert len(set(names.values())) == 3
    assert joined({}, {}) == {}
