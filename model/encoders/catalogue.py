"""Make an encoder from its name in the settings, and save an encoder that was trained further under a new name.

Names of picture encoders are ``shipped``, ``torchvision:NAME``, ``timm:NAME``, ``transformers:FOLDER`` and
``transformers:NAME`` (on the Hugging Face hub). Each may end in ``@WEIGHTS``: a file, or for torchvision also the name
of one of the library's weights. Names of text encoders are ``shipped``, ``ngrams`` (hashed character n-grams), a local
folder, and a name on the Hugging Face hub.
"""

from pathlib import Path

from safetensors.torch import save_file

from model.encoders import timm_grid, torchvision_grid, transformers_grid
from model.encoders.character_ngrams import CharacterNgrams
from model.encoders.grid import GridEncoder
from model.encoders.protocols import TextEncoder
from model.encoders.shipped import shipped_image_encoder, shipped_text_encoder
from model.encoders.transformer_text import TransformerTextEncoder
from tagloom_base.files import made, replaced

# For each library, how to make an encoder, and how to restore the whole model from an encoder's network.
LIBRARIES = {
    "torchvision": torchvision_grid.torchvision_encoder,
    "timm": timm_grid.timm_encoder,
    "transformers": transformers_grid.transformers_encoder,
}
WHOLE = {
    "torchvision": torchvision_grid.whole_state,
    "timm": timm_grid.whole_state,
    "transformers": transformers_grid.whole_state,
}


def image_encoder(name: str, device: str = "cpu") -> GridEncoder:
    """Return the picture encoder of this name.

    Raises ValueError with advice where the name is unknown or the weights cannot be loaded.
    """
    library, model, source = _parts(name)
    if library == "shipped":
        return shipped_image_encoder(device, source)
    return LIBRARIES[library](model, source, device)


def text_encoder(name: str, device: str = "cpu") -> TextEncoder:
    """Return the text encoder of this name.

    Raises ValueError with advice where the name is unknown or the weights cannot be loaded.
    """
    if name == "shipped":
        return shipped_text_encoder(device)
    if name == "ngrams":
        return CharacterNgrams()
    return TransformerTextEncoder(name, device=device)


def save_image_encoder(encoder: GridEncoder, start: str, folder: Path) -> str:
    """Write an encoder that was trained further from the one named ``start``, and return the name that loads it.

    The file has the encoder's fingerprint as its name, so other weights never have the same name. It holds the whole
    model, with the classifier that was not trained further. It is written completely or not at all. Raises OSError
    where it cannot be written.
    """
    library, model, source = _parts(start)
    state = encoder.network.state_dict()
    if library in WHOLE:
        state = WHOLE[library](model, source, encoder.network)
    file = folder.resolve() / f"image-{encoder.fingerprint}.safetensors"
    with replaced(file) as beside:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, beside)
    return f"{start.partition('@')[0]}@{file}"


def save_text_encoder(encoder: TransformerTextEncoder, folder: Path) -> str:
    """Write an encoder that was trained further as a transformers folder, and return the folder's path as its name.

    The folder has the encoder's fingerprint as its name. It is written completely or not at all. Raises OSError where
    it cannot be written.
    """
    whole = folder.resolve() / f"text-{encoder.fingerprint}"
    if not whole.is_dir():
        with made(whole) as beside:
            encoder.save(beside)
    return str(whole)


def _parts(name: str) -> tuple[str, str, str]:
    """Return library, model and source of a picture encoder's name; ValueError where the name has another form."""
    about, _, source = name.partition("@")
    library, _, model = about.partition(":")
    if not (about == "shipped" or (library in LIBRARIES and model)):
        raise ValueError(
            f"{name!r} names no picture encoder: use 'shipped', 'torchvision:NAME', 'timm:NAME' or "
            "'transformers:FOLDER', each with '@WEIGHTS' for weights of your own"
        )
    return library, model, source
