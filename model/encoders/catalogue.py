"""From an encoder's name in the settings to the encoder.

Pictures: ``shipped``, ``torchvision:NAME``, ``timm:NAME``, each of the latter with ``@WEIGHTS``, a file or the name of
one of the library's own weights. Texts: ``shipped``, ``ngrams`` (hashed character n-grams), a local folder,
or a name on the Hugging Face hub.
"""

from model.encoders.character_ngrams import CharacterNgrams
from model.encoders.protocols import ImageEncoder, TextEncoder
from model.encoders.shipped import shipped_image_encoder, shipped_text_encoder
from model.encoders.timm_grid import timm_encoder
from model.encoders.torchvision_grid import torchvision_encoder
from model.encoders.transformer_text import TransformerTextEncoder

LIBRARIES = {"torchvision": torchvision_encoder, "timm": timm_encoder}


def image_encoder(name: str, device: str = "cpu") -> ImageEncoder:
    """Raises ValueError naming the fix when there is no such encoder or its weights cannot be had."""
    if name == "shipped":
        return shipped_image_encoder(device)
    library, _, rest = name.partition(":")
    model, _, source = rest.partition("@")
    if library not in LIBRARIES or not model:
        raise ValueError(f"{name!r} names no picture encoder: use 'shipped', 'torchvision:NAME[@WEIGHTS]' or 'timm:…'")
    return LIBRARIES[library](model, source, device)


def text_encoder(name: str, device: str = "cpu") -> TextEncoder:
    """Raises ValueError naming the fix when there is no such encoder or its weights cannot be had."""
    if name == "shipped":
        return shipped_text_encoder(device)
    if name == "ngrams":
        return CharacterNgrams()
    return TransformerTextEncoder(name, device=device)
