"""From an encoder's name in the settings to the encoder, and from an encoder that was trained further to its name.

Pictures: ``shipped``, ``torchvision:NAME``, ``timm:NAME``, ``transformers:FOLDER`` or ``transformers:NAME`` on the
Hugging Face hub, each with ``@WEIGHTS``, a file or (torchvision alone) the name of one of the library's own weights.
Texts: ``shipped``, ``ngrams`` (hashed character n-grams), a local folder, or a name on the Hugging Face hub.
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
    """Raises ValueError naming the fix when there is no such encoder or its weights cannot be had."""
    library, model, source = _parts(name)
    if library == "shipped":
        return shipped_image_encoder(device, source)
    return LIBRARIES[library](model, source, device)


def text_encoder(name: str, device: str = "cpu") -> TextEncoder:
    """Raises ValueError naming the fix when there is no such encoder or its weights cannot be had."""
    if name == "shipped":
        return shipped_text_encoder(device)
    if name == "ngrams":
        return CharacterNgrams()
    return TransformerTextEncoder(name, device=device)


def save_image_encoder(encoder: GridEncoder, start: str, folder: Path) -> str:
    """Write an encoder that was trained further from the one named ``start``; the name by which it loads.

    The file is called by the encoder's fingerprint, so that no other weights ever get its name, and holds the whole
    model, the untouched classifier too. It appears whole or not at all; OSError when it cannot be written.
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
    """Write an encoder that was trained further as a transformers folder; its name is the folder's path.

    The folder is called by the encoder's fingerprint and appears whole or not at all; OSError when it cannot be
    written.
    """
    whole = folder.resolve() / f"text-{encoder.fingerprint}"
    if not whole.is_dir():
        with made(whole) as beside:
            encoder.save(beside)
    return str(whole)


def _parts(name: str) -> tuple[str, str, str]:
    """Library, model and source of a picture encoder's name."""
    about, _, source = name.partition("@")
    library, _, model = about.partition(":")
    if not (about == "shipped" or (library in LIBRARIES and model)):
        raise ValueError(
            f"{name!r} names no picture encoder: use 'shipped', 'torchvision:NAME', 'timm:NAME' or "
            "'transformers:FOLDER', each with '@WEIGHTS' for weights of your own"
        )
    return library, model, source
