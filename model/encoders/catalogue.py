"""Make an encoder from its name in the settings, and save an encoder that was trained further under a new name.

Names of picture encoders are ``shipped``, ``efficientnet-lite0``, ``torchvision:NAME``, ``timm:NAME``,
``transformers:FOLDER`` and ``transformers:NAME`` (on the Hugging Face hub). Each but ``efficientnet-lite0`` may end in
``@WEIGHTS``: a file, or for torchvision also the name of one of the library's weights. Names of text encoders are
``shipped``, ``ngrams`` (hashed character n-grams), a local folder, and a name on the Hugging Face hub.

An encoder is made from local files alone; `fetch_image_encoder`, `fetch_text_encoder` and `fetch_joint_encoder`
download them.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from safetensors.torch import save_file

from model.encoders import efficientnet_lite0, joint, timm_grid, torchvision_grid, transformer_text, transformers_grid
from model.encoders.character_ngrams import CharacterNgrams
from model.encoders.grid import GridEncoder
from model.encoders.protocols import TextEncoder
from model.encoders.shipped import shipped_image_encoder, shipped_text_encoder
from model.encoders.transformer_text import TransformerTextEncoder
from tagloom_base.files import made, replaced

SHIPPED, NGRAMS, LITE0 = "shipped", "ngrams", efficientnet_lite0.NAME

# For each library, how to make an encoder, how to restore the whole model from an encoder's network, how to find its
# weights on this machine.
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
REQUIRE = {
    "torchvision": torchvision_grid.require,
    "timm": timm_grid.require,
    "transformers": transformers_grid.require,
}


def image_encoder(name: str, device: str = "cpu") -> GridEncoder:
    """Return the picture encoder of this name.

    Raises ValueError with advice where the name is unknown or the weights cannot be loaded.
    """
    library, model, source = _parts(name)
    if library == SHIPPED:
        return shipped_image_encoder(device, source)
    if library == LITE0:
        return efficientnet_lite0.lite0_encoder(device)
    return LIBRARIES[library](model, source, device)


def text_encoder(name: str, device: str = "cpu") -> TextEncoder:
    """Return the text encoder of this name.

    Raises ValueError with advice where the name is unknown or the weights cannot be loaded.
    """
    if name == SHIPPED:
        return shipped_text_encoder(device)
    if name == NGRAMS:
        return CharacterNgrams()
    return TransformerTextEncoder(name, device=device)


def require_image_encoder(name: str) -> None:
    """Raise ValueError with advice where no picture encoder of this name is on this machine. Nothing is loaded."""
    library, model, source = _parts(name)
    if library == LITE0:
        efficientnet_lite0.require()
    elif library in REQUIRE:
        REQUIRE[library](model, source)


def require_text_encoder(name: str) -> None:
    """Raise ValueError with advice where no text encoder of this name is on this machine. Nothing is loaded."""
    if name not in (SHIPPED, NGRAMS):
        transformer_text.require(name)


def fetch_image_encoder(name: str) -> None:
    """Download what a picture encoder needs into the cache of its library, unless it is on this machine.

    Raises ValueError with advice where the name is unknown or the download fails.
    """
    library, model, source = _parts(name)
    fetches = {
        "torchvision": lambda: torchvision_grid.fetch(model, source),
        "timm": lambda: timm_grid.fetch(model),
        "transformers": lambda: transformers_grid.fetch(model),
    }
    if library in fetches:
        _fetch(name, lambda: require_image_encoder(name), fetches[library])


def fetch_text_encoder(name: str) -> None:
    """Download what a text encoder needs into the hub's cache, unless it is on this machine. Raises ValueError."""
    _fetch(name, lambda: require_text_encoder(name), lambda: transformer_text.fetch(name))


def fetch_joint_encoder(name: str) -> None:
    """Download what a joint encoder needs into the hub's cache, unless it is on this machine. Raises ValueError."""
    _fetch(name, lambda: joint.require(name), lambda: joint.fetch(name))


def _fetch(name: str, require: Callable[[], object], fetch: Callable[[], object]) -> None:
    with suppress(ValueError):
        require()
        return
    try:
        fetch()
    # The libraries raise errors of many kinds: of the network, of the server's answer, of the disk.
    except Exception as error:
        raise ValueError(
            f"{name} can't be downloaded ({_first_line(error)}): let this machine reach the library's server, or copy "
            "the files from a machine that does (docs/encoders.md says where to)"
        ) from error
    require()


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def save_image_encoder(encoder: GridEncoder, start: str, folder: Path) -> str:
    """Write an encoder that was trained further from the one named ``start``, and return the name that loads it.

    The file has the encoder's fingerprint as its name, so other weights never have the same name. It holds the whole
    model, with the classifier that was not trained further. It is written completely or not at all. Raises OSError
    where it cannot be written.
    """
    library, model, source = _parts(start)
    state = encoder.network.state_dict()
    if library == LITE0:
        # Its name means the package's weights; a file of others is one of timm's.
        start, state = f"timm:{efficientnet_lite0.NETWORK}", efficientnet_lite0.whole_state(encoder.network)
    elif library in WHOLE:
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
    plain = about == SHIPPED or name == LITE0
    if not (plain or (library in LIBRARIES and model)):
        raise ValueError(
            f"{name!r} names no picture encoder: use '{LITE0}', '{SHIPPED}', 'torchvision:NAME', 'timm:NAME' or "
            "'transformers:FOLDER', each but the first with '@WEIGHTS' for weights of your own"
        )
    return library, model, source
