"""The dual-channel attention network: picture and text look at each other, each class asks its own question.

    regions  x = P_image grid + place           tokens  t = P_text segments + P_geometry + P_flags
    image→text   x' = norm(x + attend(x, t))    text→image   t' = norm(t + attend(t, x))
    class k asks   v_k = attend(q_k, x')        u_k = attend(q_k, t')        i = P_industry
    gate    g_k = softmax over (v, u, i) of what is there           logit_k = head_k(Σ g · (v, u, i))

The logits are added to the label model's log-odds; the head starts at zero, so that an untrained network leaves the
cues as they are. A missing modality is masked in every attention and in the gate.

Shape suffixes: B batch, R regions, C image width, T segments, E text width, G geometry, F flags, I industry, D width,
K classes, H heads, M modalities (image, text, industry).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, pad, scaled_dot_product_attention

from model.batching import GEOMETRY, GRID, Batch
from model.propagation import INDUSTRY_WIDTH


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes and switches. A part that is switched off is not made."""

    image_width: int
    text_width: int
    flags: int
    classes: int
    width: int = 64
    heads: int = 4
    dropout: float = 0.2
    use_image: bool = True
    use_text: bool = True
    use_industry: bool = True
    image_to_text: bool = True
    text_to_image: bool = True
    use_gate: bool = True


@dataclass(frozen=True)
class Attention:
    """Where each class looked: (B, K, R) over regions and (B, K, T) over segments; rows sum to at most 1."""

    regions_BKR: Tensor
    segments_BKT: Tensor


class Attend(nn.Module):
    """Multi-head attention with one place more to look at: nothing, so that an empty source has an answer of zero."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, query_BQD: Tensor, source_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        """Answers (B, Q, D); without biases, what is looked at in nothing is zero."""
        source_BSD, mask_BS = pad(source_BSD, (0, 0, 1, 0)), pad(mask_BS, (1, 0), value=True)
        answer_BHQd = scaled_dot_product_attention(
            self._split(self.query(query_BQD)),
            self._split(self.key(source_BSD)),
            self._split(self.value(source_BSD)),
            attn_mask=mask_BS[:, None, None, :],
        )
        merged_BQD: Tensor = self.out(answer_BHQd.transpose(1, 2).flatten(2))
        return merged_BQD

    def weights(self, query_BQD: Tensor, source_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        """(B, Q, S) where it looks, mean of the heads; what is missing to 1 was looked at in nothing."""
        source_BSD, mask_BS = pad(source_BSD, (0, 0, 1, 0)), pad(mask_BS, (1, 0), value=True)
        query_BHQd, key_BHSd = self._split(self.query(query_BQD)), self._split(self.key(source_BSD))
        score_BHQS = query_BHQd @ key_BHSd.transpose(2, 3) / query_BHQd.shape[-1] ** 0.5
        masked_BHQS = score_BHQS.masked_fill(~mask_BS[:, None, None, :], -torch.inf)
        weight_BQS: Tensor = masked_BHQS.softmax(-1).mean(1)
        return weight_BQS[..., 1:]

    def _split(self, states_BSD: Tensor) -> Tensor:
        batch, places, width = states_BSD.shape
        return states_BSD.view(batch, places, self.heads, width // self.heads).transpose(1, 2)


class Network(nn.Module):
    """Logits of one batch, to be added to the label model's log-odds."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.image_in = nn.Linear(config.image_width, width)
        self.place = nn.Parameter(torch.randn(GRID * GRID, width) * 0.02)
        self.text_in = nn.Linear(config.text_width, width)
        self.geometry_in = nn.Linear(GEOMETRY, width)
        self.flag_in = nn.Linear(config.flags, width, bias=False) if config.flags else None
        self.industry_in = nn.Linear(INDUSTRY_WIDTH, width, bias=False)
        self.image_norm, self.text_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.image_to_text = Attend(width, config.heads) if config.image_to_text else None
        self.text_to_image = Attend(width, config.heads) if config.text_to_image else None
        self.image_mix_norm, self.text_mix_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Parameter(torch.randn(config.classes, width) * 0.2)
        self.ask_image, self.ask_text = Attend(width, config.heads), Attend(width, config.heads)
        self.gate = nn.Linear(width, 1) if config.use_gate else None
        self.head_norm = nn.LayerNorm(width)
        self.head = nn.Parameter(torch.zeros(config.classes, width))
        self.bias = nn.Parameter(torch.zeros(config.classes))

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the part that a phase trains: head, attention, projections."""
        head = ("head", "bias", "gate", "query")
        attention = ("image_to_text", "text_to_image", "ask_", "image_mix_norm", "text_mix_norm")
        named: dict[str, list[nn.Parameter]] = {"head": [], "attention": [], "projections": []}
        for name, parameter in self.named_parameters():
            part = "head" if name.startswith(head) else "attention" if name.startswith(attention) else "projections"
            named[part].append(parameter)
        return named

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, K)."""
        region_BRD, token_BTD, region_mask_BR, segment_mask_BT = self._channels(batch)
        query_BKD = self.query.expand(len(batch), -1, -1)
        seen_BKD = self.ask_image(query_BKD, region_BRD, region_mask_BR)
        read_BKD = self.ask_text(query_BKD, token_BTD, segment_mask_BT)
        industry_BKD = self.industry_in(batch.industry_NI)[:, None].expand_as(seen_BKD)
        has_industry_B = (batch.industry_NI != 0).any(1) & self.config.use_industry
        there_BM = torch.stack([region_mask_BR.any(1), segment_mask_BT.any(1), has_industry_B], dim=1)
        fused_BKD = self._fuse(torch.stack([seen_BKD, read_BKD, industry_BKD], dim=2), there_BM)
        fused_BKD = dropout(self.head_norm(fused_BKD), self.config.dropout, self.training)
        return (fused_BKD * self.head).sum(-1) + self.bias

    def attention(self, batch: Batch) -> Attention:
        """Where each class looks."""
        region_BRD, token_BTD, region_mask_BR, segment_mask_BT = self._channels(batch)
        query_BKD = self.query.expand(len(batch), -1, -1)
        return Attention(
            self.ask_image.weights(query_BKD, region_BRD, region_mask_BR),
            self.ask_text.weights(query_BKD, token_BTD, segment_mask_BT),
        )

    def _channels(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Both sides after they have looked at each other, and what of them is there."""
        region_mask_BR = batch.region_mask_NR & self.config.use_image
        segment_mask_BT = batch.segment_mask_NT & self.config.use_text
        region_BRD, token_BTD = self._exchange(*self._project(batch), region_mask_BR, segment_mask_BT)
        return region_BRD, token_BTD, region_mask_BR, segment_mask_BT

    def _project(self, batch: Batch) -> tuple[Tensor, Tensor]:
        region_BRD = self.image_norm(self.image_in(batch.region_NRC) + self.place)
        token_BTD = self.text_in(batch.segment_NTE) + self.geometry_in(batch.geometry_NTG)
        if self.flag_in is not None:
            token_BTD = token_BTD + self.flag_in(batch.flag_NTF)
        return region_BRD, self.text_norm(token_BTD)

    def _exchange(
        self, region_BRD: Tensor, token_BTD: Tensor, region_mask_BR: Tensor, segment_mask_BT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Both channels at once, from the same inputs."""
        mixed_BRD, mixed_BTD = region_BRD, token_BTD
        if self.image_to_text is not None:
            mixed_BRD = self.image_mix_norm(region_BRD + self.image_to_text(region_BRD, token_BTD, segment_mask_BT))
        if self.text_to_image is not None:
            mixed_BTD = self.text_mix_norm(token_BTD + self.text_to_image(token_BTD, region_BRD, region_mask_BR))
        return mixed_BRD, mixed_BTD

    def _fuse(self, modality_BKMD: Tensor, there_BM: Tensor) -> Tensor:
        """Weigh what is there: by the gate, or evenly without one."""
        if self.gate is None:
            score_BKM = torch.zeros(modality_BKMD.shape[:3], device=modality_BKMD.device)
        else:
            score_BKM = self.gate(modality_BKMD)[..., 0]
        mask_B1M = there_BM[:, None, :]
        weight_BKM = score_BKM.masked_fill(~mask_B1M, -1e4).softmax(-1) * mask_B1M
        return (weight_BKM[..., None] * modality_BKMD).sum(2)


def make_network(config: NetworkConfig, seed: int) -> Network:
    """A new network whose weights depend on the seed alone, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(config)
