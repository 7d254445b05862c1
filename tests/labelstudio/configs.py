"""Label configs: random ones, and ones that cannot work."""

from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st

IMAGE = '<Image name="img" value="$photo"/>'

TAGS = st.sampled_from(
    ["Image", "Text", "Header", "Choices", "RectangleLabels", "Label", "Choice", "View", "choices", "Brush", "Rating"]
)
VALUES = st.one_of(
    st.sampled_from(["img", "$image", "$a.b[0]", "c", "img,c", "multiple", "true"]), st.text(max_size=12)
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["name", "toName", "value", "alias", "predicted_values", "choice", "perRegion", "valueList"]),
    VALUES,
)


def element(tag: str, attributes: dict[str, str], inner: list[str]) -> str:
    return (
        f"<{tag}{''.join(f' {name}={quoteattr(value)}' for name, value in attributes.items())}>{''.join(inner)}</{tag}>"
    )


LEAVES = st.builds(element, TAGS, ATTRIBUTES, st.just([]))
CONTROLS = st.builds(element, TAGS, ATTRIBUTES, st.lists(LEAVES, max_size=3))
TREES = st.builds(element, st.just("View"), st.just({}), st.lists(LEAVES | CONTROLS, max_size=5))


def labelled(count: int) -> str:
    """A config whose two controls have this many labels each."""
    choices = "".join(f'<Choice value="{number}"/>' for number in range(count))
    boxes = "".join(f'<Label value="{number}"/>' for number in range(count))
    return (
        f'<View>{IMAGE}<Choices name="c" toName="img">{choices}</Choices>'
        f'<RectangleLabels name="r" toName="img">{boxes}</RectangleLabels></View>'
    )


CHOICES = '<Choices name="c" toName="img"><Choice value="x"/></Choices>'


def config_of(choices: str) -> str:
    return f'<View>{IMAGE}<Choices name="c" toName="img">{choices}</Choices></View>'


USELESS = {
    "views in views": "<View>" * 300 + IMAGE + CHOICES + "</View>" * 300,
    "choices in choices": config_of('<Choice value="x">' * 300 + "</Choice>" * 300),
    "very deep": "<View>" * 30_000 + IMAGE + CHOICES + "</View>" * 30_000,
    "a far place": f'<View><Image name="img" value="$a[{"9" * 5000}]"/>{CHOICES}</View>',
    "a place too far": f'<View><Image name="img" value="$a[9999999]"/>{CHOICES}</View>',
    "a long name": f'<View><Image name="img" value="${"a" * 501}"/>{CHOICES}</View>',
    "a long label": f'<View>{IMAGE}<Choices name="c" toName="img"><Choice value="{"x" * 501}"/></Choices></View>',
    "many labels": labelled(1_001),
    "very many labels": labelled(9_000),
    "many tags": f"<View>{IMAGE}{CHOICES}{'<Header/>' * 5_000}</View>",
}
