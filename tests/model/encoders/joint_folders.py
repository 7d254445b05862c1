"""Small joint encoders with random weights: a folder for each kind."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertTokenizer,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPConfig,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    ViTImageProcessor,
)

SIZE, WIDTH = 32, 24
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"红色蓝裙杯表鞋帽袋灯abcdefgh"]
_LAYERS: dict[str, Any] = {
    "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
}  # fmt: skip
_SEEN: dict[str, Any] = {"image_size": SIZE, "patch_size": 8, **_LAYERS}
_READ: dict[str, Any] = {
    "vocab_size": len(WORDS), "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "max_position_embeddings": 20,
    **_LAYERS,
}  # fmt: skip
MODELS = {
    "clip": lambda: CLIPModel(CLIPConfig(text_config=_READ, vision_config=_SEEN, projection_dim=16)),
    "chinese_clip": lambda: ChineseCLIPModel(
        ChineseCLIPConfig(text_config=_READ, vision_config=_SEEN, projection_dim=16)
    ),
    "siglip": lambda: SiglipModel(SiglipConfig(text_config=_READ, vision_config=_SEEN)),
}


def joint_folder(kind: str, folder: Path, seed: int = 0) -> str:
    """A model of this kind with random weights, its tokenizer and its image processor; its folder."""
    torch.manual_seed(seed)
    model = MODELS[kind]()  # type: ignore[no-untyped-call]
    # Random weights as small as the library's make all vectors alike.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3 if "embedding" in name else 0.15)
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    if kind == "chinese_clip":
        BertTokenizer(vocab={word: number for number, word in enumerate(WORDS)}).save_pretrained(folder)
    else:
        _by_character(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"] == kind
    return str(folder)


def _by_character(folder: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    whole = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", bos_token="[CLS]", eos_token="[SEP]",
        model_input_names=["input_ids"],
    )  # fmt: skip
    whole.save_pretrained(folder)
