from pathlib import Path

import pytest

from model.lexicon.lexicon import Lexicon


@pytest.mark.parametrize(
    ("label", "kind"),
    [("主体", "product"), ("Gift", "gift"), ("logo", "logo"), ("促销文案", "copy"), ("price_tag", "price")],
)
def test_labels_are_known_by_their_aliases(label: str, kind: str) -> None:
    assert Lexicon.load().kind_of(label).name == kind


def test_an_unknown_label_gets_an_even_prior_and_no_cues() -> None:
    kind = Lexicon.load().kind_of("underlay")
    assert (kind.share, kind.cues) == (0.5, ())


def test_plain_data_keep_everything() -> None:
    lexicon = Lexicon.load()
    assert Lexicon.from_dict(lexicon.as_dict()) == lexicon


def test_a_project_adds_names_and_cues_and_changes_weights() -> None:
    text = (
        '[kinds.gift]\naliases = ["随单礼"]\n'
        '[[kinds.gift.cues]]\nname = "gift announced"\npattern = "附带"\nweight = 1.0\n'
    )
    gift = Lexicon.load().extended(Lexicon.parse(text)).kind_of("随单礼")
    assert gift.name == "gift"
    assert [cue.pattern for cue in gift.cues if cue.name == "gift announced"] == ["附带"]
    assert gift.share == Lexicon.load().kind_of("gift").share


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[kinds.gift", "no valid TOML"),
        ('[[kinds.a.cues]]\nname = "x"\nweight = 1.0\npattern = "("', "no regular expression"),
        ('[[kinds.a.cues]]\nname = "x"\nwieght = 1.0', r"kind 'a' .*unknown field 'wieght' \(is it weight\?\)"),
        ('[[kinds.a.cues]]\nname = "x"', "has no weight; add it"),
        ("[[kinds.a.cues]]\nweight = 1.0", "has no name; add it"),
        ('[[kinds.a.cues]]\nname = "x"\nweight = "4"', "weight = '4' is of a wrong type"),
        ('[[kinds.a.cues]]\nname = "x"\nweight = true', "weight = True is of a wrong type"),
        ('[[kinds.a.cues]]\nname = "x"\nweight = inf', "weight = inf is of a wrong type"),
        ('[[kinds.a.cues]]\nname = "x"\nweight = 1\nlongest = 1.5', "longest = 1.5 is of a wrong type"),
        ('[[kinds.a.cues]]\nname = "x"\nweight = 1\nbrand = "yes"', "brand = 'yes' is of a wrong type"),
        ('[[kinds.a.cues]]\nname = "x"\nweight = 1\nmoney = 1', "money = 1 is of a wrong type"),
        ("[kinds.a]\ncues = [1]", "is 1; write it as a table"),
        ("[kinds]\na = 3", "kind 'a' in the lexicon is 3; write it as a table"),
        ("kinds = [1]", "kinds = .* is of a wrong type"),
        ("[kind.a]\nshare = 0.1", r"unknown field 'kind' \(is it kinds\?\)"),
        ('[kinds.a]\nalias = ["x"]', r"unknown field 'alias' \(is it aliases\?\)"),
        ('[kinds.a]\naliases = "赠品"', "aliases = '赠品' is of a wrong type"),
        ("[kinds.a]\naliases = [1]", "write a list of texts"),
        ("[kinds.a]\nwithout = [1]", "write a list of texts"),
        ("[kinds.a]\nshare = [1]", r"share = \[1\] is of a wrong type"),
        ('[[kinds.a.cues]]\nname = "x"\nweight = 1.0\nwhere = "moon"', "use 'reading', 'title' or 'picture'"),
        ("[kinds.a]\nshare = 1.5", "probability between 0 and 1"),
    ],
)
def test_a_broken_file_is_told_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Lexicon.parse(text)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing\.toml"):
        Lexicon.load(tmp_path / "missing.toml")
    (tmp_path / "wrong.toml").write_text("[kinds.gift", encoding="utf-8")
    with pytest.raises(ValueError, match=r"wrong\.toml.*no valid TOML"):
        Lexicon.load(tmp_path / "wrong.toml")


def test_a_file_is_utf_8_with_or_without_a_mark(tmp_path: Path) -> None:
    text, file = '[kinds.gift]\r\naliases = ["随单礼"]\r\n', tmp_path / "own.toml"
    for codec in ("utf-8", "utf-8-sig"):
        file.write_bytes(text.encode(codec))
        assert Lexicon.load(file).kind_of("随单礼").name == "gift"
    for codec, line in (("gbk", 2), ("utf-16", 1)):
        file.write_bytes(text.encode(codec))
        with pytest.raises(ValueError, match=rf"own\.toml, line {line}: this is no UTF-8 text: save it again"):
            Lexicon.load(file)
    with pytest.raises(ValueError, match=r"cannot be read \(Is a directory\): name a file"):
        Lexicon.load(tmp_path)
