"""Small encoders: folders that hold one with random weights, and networks that have moved."""

import copy
from pathlib import Path

import torch
from torch import nn
from transformers import BertConfig, BertModel, BertTokenizer

from tools.encoders.vocabulary import vocabulary


def bert_folder(folder: Path, width: int = 32, layers: int = 2, heads: int = 2) -> str:
    """A BERT of this size with random weights and the shipped vocabulary; its folder."""
    words = vocabulary(["华为HUAWEI"] * 30)
    BertTokenizer(vocab={word: number for number, word in enumerate(words)}).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    torch.manual_seed(0)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return str(folder)


def shaken(network: nn.Module) -> nn.Module:
    """A copy whose every parameter has moved."""
    other = copy.deepcopy(network)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    return other
