"""Choose encoders by what is on this machine: the best of a short list whose files are here. No network is used."""

from dataclasses import dataclass

from model.encoders.catalogue import LITE0, SHIPPED, require_image_encoder, require_text_encoder

AUTO = "auto"
"""In the settings: the encoder that the home keeps, which is chosen here for a new home."""


@dataclass(frozen=True)
class Choice:
    """An encoder that may be chosen: its name in the settings, what it is, and what it gives beside the later ones."""

    name: str
    title: str
    gives: str = ""


# The best first.
IMAGES = (
    Choice(
        "torchvision:resnet50",
        "ResNet50 of torchvision (98 MB, trained on photographs)",
        "the encoder of the study that Tagloom follows; it takes 2.5 times as long as efficientnet-lite0 and was not "
        "measured by us",
    ),
    Choice(
        LITE0,
        "EfficientNet-Lite0 (trained on photographs, brought by pip)",
        "on shop photographs the tags' macro-F1 was .006 to .014 better from 50 labelled products on, boxes the same",
    ),
    Choice(SHIPPED, "the small encoder of the repository (trained on drawings)"),
)
TEXTS = (
    Choice(
        "bert-base-chinese",
        "BERT base Chinese (400 MB, trained on Wikipedia)",
        "the encoder of the study that Tagloom follows; not measured by us",
    ),
    Choice(SHIPPED, "the small BERT of the repository (trained on generated texts)"),
)


CHOICES = {"image": IMAGES, "text": TEXTS}
_REQUIRE = {"image": require_image_encoder, "text": require_text_encoder}


def best(part: str) -> str:
    """Return the name of the best encoder of a part, ``image`` or ``text``, whose files are on this machine."""
    return next(choice.name for choice in CHOICES[part] if is_here(part, choice.name))


def is_here(part: str, name: str) -> bool:
    """Return whether the files of this encoder are on this machine."""
    try:
        _REQUIRE[part](name)
    except ValueError:
        return False
    return True


def advice(image: str, text: str) -> list[str]:
    """Return a sentence for each better choice than these encoders: what it is, what it gives, and how to get it.

    An encoder that is in no list was chosen on purpose, so nothing is said to it.
    """
    lines = []
    for part, used in (("image", image), ("text", text)):
        names = [choice.name for choice in CHOICES[part]]
        for choice in CHOICES[part][: names.index(used) if used in names else 0]:
            command = f"`tagloom encoders use {choice.name if part == 'image' else f'{image} {choice.name}'}`"
            if not is_here(part, choice.name):
                command = f"`tagloom encoders fetch {choice.name}` and {command}"
            lines.append(f"instead of {used}, {choice.title}: {choice.gives}; {command}")
    return lines
