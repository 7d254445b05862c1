from tools.encoders.vocabulary import SPECIAL, vocabulary


def test_common_characters_letters_and_signs_are_there_once() -> None:
    words = vocabulary([])
    assert len(words) == len(set(words))
    assert words[: len(SPECIAL)] == list(SPECIAL)
    assert set("主体赠品文案价格送减元¥az09®") <= set(words)
    assert {"##a", "##9"} <= set(words)
    assert sum("一" <= word <= "鿿" for word in words) == 6763


def test_frequent_words_are_whole() -> None:
    words = vocabulary(["HUAWEI 128GB"] * 30 + ["rare"])
    assert {"huawei", "128", "gb"} <= set(words)
    assert "rare" not in words
