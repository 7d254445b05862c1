import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    AutoModel,
    ChineseCLIPConfig,
    ConvNextConfig,
    ConvNextImageProcessor,
    DeiTConfig,
    Dinov2Config,
    Dinov2WithRegistersConfig,
    MobileViTImageProcessor,
    PreTrainedConfig,
    ResNetConfig,
    SwinConfig,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    ViTMAEConfig,
    YolosConfig,
)

from model.encoders import transformers_grid
from model.encoders.catalogue import image_encoder, save_image_encoder, text_encoder
from tests.model.encoders.folders import bert_folder, shaken

SIZE = 32
TOKENS: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
PATCHES: dict[str, Any] = {"image_size": SIZE, "patch_size": 8, **TOKENS}
PLAIN = ViTConfig(**PATCHES)
CONFIGS: dict[str, PreTrainedConfig] = {
    "vit": PLAIN,
    "deit": DeiTConfig(**PATCHES),  # class and distillation token
    "dinov2": Dinov2Config(**{**PATCHES, "image_size": 64}),  # fits its positions to smaller pictures
    "dinov2 with registers": Dinov2WithRegistersConfig(**PATCHES, num_register_tokens=4),
    "swin": SwinConfig(image_size=SIZE, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4),
    "convnext": ConvNextConfig(hidden_sizes=[4, 8, 16], depths=[1, 1, 1], num_stages=3, patch_size=2),
    "resnet": ResNetConfig(embedding_size=4, hidden_sizes=[4, 16], depths=[1, 1]),
    "chinese clip": ChineseCLIPConfig(
        vision_config=PATCHES, text_config={**TOKENS, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1}
    ),
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def model_of(config: PreTrainedConfig) -> Any:
    return AutoModel.from_config(config)  # type: ignore[no-untyped-call]


def folder_of(config: PreTrainedConfig, folder: Path, seed: int = 0, size: int = SIZE) -> Path:
    """A model of this config with random weights, as a folder for pictures of this size."""
    torch.manual_seed(seed)
    model_of(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": size, "width": size}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(PLAIN, tmp_path_factory.mktemp("vit"))


@pytest.fixture
def copy(vit: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(vit, tmp_path / "copy"))


def picture() -> Image.Image:
    """Noise, so that every cell differs."""
    generator = torch.Generator().manual_seed(1)
    return Image.fromarray(torch.randint(0, 256, (SIZE, SIZE, 3), generator=generator).byte().numpy())


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_kind_of_model_gives_a_grid(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(CONFIGS[kind], tmp_path / "model")
    capfd.readouterr()
    encoder = image_encoder(f"transformers:{folder}")
    grid_NRC, pooled_NC = encoder.encode([picture(), picture().rotate(90)])
    assert (encoder.width, encoder.grid_shape) == (16, (4, 4))
    assert (grid_NRC.shape, pooled_NC.shape) == ((2, 16, 16), (2, 16))
    assert torch.equal(grid_NRC, image_encoder(f"transformers:{folder}").encode([picture(), picture().rotate(90)])[0])
    assert encoder.describe() == "transformers model, its own weights"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", CONFIGS)
def test_cells_lie_where_the_picture_has_them(kind: str, tmp_path: Path) -> None:
    """Of all cells, that changes most in which the picture changes: third row, second column."""
    encoder = image_encoder(f"transformers:{folder_of(CONFIGS[kind], tmp_path)}")
    changed = picture()
    ImageDraw.Draw(changed).rectangle((10, 18, 13, 21), fill="white")
    before_RC, after_RC = encoder.encode([picture(), changed])[0]
    assert int((after_RC - before_RC).norm(dim=1).argmax()) == 2 * 4 + 1


def test_special_tokens_are_dropped_from_the_front(vit: Path) -> None:
    encoder = image_encoder(f"transformers:{vit}")
    model = AutoModel.from_pretrained(vit).eval()
    with torch.inference_mode():
        state_NTC = model(pixel_values=encoder.preprocessing([picture()])).last_hidden_state
    grid_RC = encoder.encode([picture()])[0][0]
    assert (grid_RC - state_NTC[0, 1:]).norm() < 0.03 * grid_RC.norm()  # bfloat16 where the processor has it


def test_pictures_are_prepared_as_the_folder_says(copy: Path) -> None:
    encoder = image_encoder(f"transformers:{copy}")
    assert (encoder.preprocessing.size, encoder.preprocessing.mean) == (SIZE, (0.5, 0.5, 0.5))
    ConvNextImageProcessor(size={"shortest_edge": SIZE}, image_mean=[0.1, 0.2, 0.3]).save_pretrained(copy)
    other = image_encoder(f"transformers:{copy}")
    assert (other.preprocessing.size, other.preprocessing.mean) == (SIZE, (0.1, 0.2, 0.3))
    assert other.fingerprint != encoder.fingerprint
    ViTImageProcessor(size={"height": SIZE, "width": SIZE}, do_normalize=False).save_pretrained(copy)
    assert image_encoder(f"transformers:{copy}").preprocessing.std == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_from_the_path(suffix: str, vit: Path, tmp_path: Path) -> None:
    state = load_file(folder_of(PLAIN, tmp_path / "other", seed=1) / "model.safetensors")
    file = tmp_path / f"weights{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    own, named, other = (image_encoder(f"transformers:{name}") for name in (vit, f"{vit}@{file}", tmp_path / "other"))
    assert named.fingerprint == other.fingerprint != own.fingerprint
    assert torch.equal(named.encode([picture()])[0], other.encode([picture()])[0])
    assert named.describe() == f"transformers {vit.name}, weights of weights{suffix}"


def test_weights_of_a_classifier_are_those_of_its_body(vit: Path, tmp_path: Path) -> None:
    torch.manual_seed(2)
    classifier = ViTForImageClassification(PLAIN)
    save_file(classifier.state_dict(), tmp_path / "classifier.safetensors")
    encoder = image_encoder(f"transformers:{vit}@{tmp_path / 'classifier.safetensors'}")
    whole = classifier.vit.state_dict()
    assert all(
        torch.equal(part, whole[name.removeprefix("body.")]) for name, part in encoder.network.state_dict().items()
    )


@pytest.mark.parametrize("kind", ["swin", "chinese clip"])
def test_a_trained_encoder_loads_by_its_name_and_sees_the_same(kind: str, tmp_path: Path) -> None:
    start = f"transformers:{folder_of(CONFIGS[kind], tmp_path / 'model')}"
    first = image_encoder(start)
    encoder = first.with_network(shaken(first.network), "trained")
    loaded = image_encoder(save_image_encoder(encoder, start, tmp_path / "out"))
    assert loaded.fingerprint == encoder.fingerprint != first.fingerprint
    assert torch.equal(loaded.encode([picture()])[0], encoder.encode([picture()])[0])


def test_gradients_reach_the_patches(vit: Path) -> None:
    encoder = image_encoder(f"transformers:{vit}")
    encoder.network.requires_grad_(True)
    encoder.maps(encoder.network, [picture()]).sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in encoder.network.parameters())


def _without(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def _cut_short(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"half")


def _of_another_width(folder: Path) -> None:
    model_of(ViTConfig(**{**PATCHES, "hidden_size": 32})).save_pretrained(folder / "wide")
    shutil.copy(folder / "wide" / "model.safetensors", folder)


def _lacking_a_tensor(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    del state["layernorm.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_without("config.json"), "holds no transformers model"),
        (_without("preprocessor_config.json"), r"(?s)holds no transformers model.*preprocessor_config\.json"),
        (_without("model.safetensors"), r"holds no transformers model .* give one with config\.json"),
        (_cut_short, "holds no transformers model"),
        (_of_another_width, "holds no transformers model"),
        (_lacking_a_tensor, r"lack 1 tensors of ViTModel, such as layernorm\.weight"),
    ],
)
def test_a_folder_that_lacks_something_says_what(spoil: Callable[[Path], None], words: str, copy: Path) -> None:
    spoil(copy)
    with pytest.raises(ValueError, match=words):
        image_encoder(f"transformers:{copy}")


def test_weights_of_another_model_are_refused(vit: Path, tmp_path: Path) -> None:
    file = folder_of(CONFIGS["swin"], tmp_path) / "model.safetensors"
    with pytest.raises(ValueError, match=r"not those of transformers' .* name the model that they were saved from"):
        image_encoder(f"transformers:{vit}@{file}")
    with pytest.raises(ValueError, match="is no file"):
        image_encoder(f"transformers:{vit}@{tmp_path / 'nowhere.safetensors'}")


def test_a_name_that_is_not_here_says_the_ways_out() -> None:
    with pytest.raises(ValueError, match=r"'nobody/model' is .*`tagloom encoders fetch transformers:nobody"):
        image_encoder("transformers:nobody/model")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ViTMAEConfig(**PATCHES), "tokens are not those of 4×4 patches"),  # hides most patches
        (YolosConfig(**{**PATCHES, "image_size": [SIZE, SIZE]}), "tokens are not those of 4×4 patches"),
        (ViTConfig(**{**PATCHES, "image_size": 64}), "preprocessor_config.json gives the size"),
    ],
)
def test_a_model_without_a_grid_is_refused(config: PreTrainedConfig, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        image_encoder(f"transformers:{folder_of(config, tmp_path)}")


def test_a_text_model_is_no_picture_encoder(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path)
    with pytest.raises(ValueError, match=r"serves as picture encoder .*preprocessor_config\.json"):
        image_encoder(f"transformers:{folder}")
    ViTImageProcessor().save_pretrained(folder)
    with pytest.raises(ValueError, match="makes no grid of pictures"):
        image_encoder(f"transformers:{folder}")
    assert text_encoder(folder).width == 32


@pytest.mark.parametrize(
    ("processor", "words"),
    [
        (ViTImageProcessor(size={"height": 32, "width": 64}), "not squares"),
        (MobileViTImageProcessor(), "blue before red"),
    ],
)
def test_pictures_that_are_prepared_otherwise_are_refused(
    processor: ViTImageProcessor | MobileViTImageProcessor, words: str, copy: Path
) -> None:
    processor.save_pretrained(copy)
    with pytest.raises(ValueError, match=words):
        image_encoder(f"transformers:{copy}")


def test_the_whole_state_has_all_that_the_folder_has(tmp_path: Path) -> None:
    folder = folder_of(CONFIGS["chinese clip"], tmp_path)
    network = shaken(image_encoder(f"transformers:{folder}").network)
    before = load_file(folder / "model.safetensors")
    after = transformers_grid.whole_state(str(folder), "", network)
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert before.keys() == after.keys()
    assert changed
    assert all(key.startswith("vision_model.") for key in changed)
    assert isinstance(network, nn.Module)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "side", "width"),
    [(ViTConfig(), 14, 768), (SwinConfig(), 7, 768), (ConvNextConfig(), 7, 768), (ResNetConfig(), 7, 2048)],
)
def test_full_size_models(config: PreTrainedConfig, side: int, width: int, tmp_path: Path) -> None:
    encoder = image_encoder(f"transformers:{folder_of(config, tmp_path, size=224)}")
    assert (encoder.width, encoder.grid_shape) == (width, (side, side))
