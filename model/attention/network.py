"""The dual-channel attention network: picture and text attend to each other, and each class attends to both.

    regions  x = norm(P_image grid + place)
    tokens   t = norm(P_text segments + P_geometry + P_flags), w · norm(P_text e + name) of each further text field,
             and norm(P_page s) of the statistics s of all read blocks, by the mean and deviation of the first pool
    image→text   x' = norm(x + attend(x, t))    text→image   t' = norm(t + attend(t, x))
    class k asks   v_k = attend(q_k, x')        u_k = attend(q_k, t')
    industry       i = Σ over levels (one-hot · W + P_industry (e + offset)) / √levels
    fused          logit_k = head_k · norm(fusion(v_k, u_k, i)) + bias_k     (model.attention.fusion; gate by default)

e is the embedding of a text or an industry value. A value that no training item had has an embedding too; what is
learned about a value (offset and W) is added. The logits are the network's own log-odds of each label. The head starts
at zero and the bias at the log-odds of each label's share, so an untrained network answers with the shares. A missing
modality is masked in every attention and in the fusion.

Shape suffixes: B batch, R regions, C image width, T segments, X further text fields, P statistics of the page, E text
width, G geometry, F flags, L industry levels, V industry values, D width, K classes, H heads, M modalities (image,
text, industry), S voices. In `Attend`: Q queries, S places of the source, d width of a head.
"""

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, pad, scaled_dot_product_attention

from model.attention.batching import GEOMETRY, GRID, Batch
from model.attention.fusion import Channels, make_fusion
from model.attention.vocabulary import Vocabulary
from model.state import State, prefixed


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes and switches of a network.

    ``flags`` is the number of cue flags, ``page`` that of the page's statistics, ``width`` the width of the states,
    ``fusion`` a key of ``FUSIONS``. A switch that is False leaves a modality, or one direction of the attention between
    picture and text, out of the network; industry is out by default, because it overfits to the industries of the gold
    (docs/results.md). With ``mean_pooling``, each attention is replaced by the mean over all places,
    with the same parameters.
    """

    image_width: int
    text_width: int
    flags: int
    page: int
    classes: int
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    width: int = 64
    heads: int = 4
    dropout: float = 0.2
    use_image: bool = True
    use_text: bool = True
    use_industry: bool = False
    image_to_text: bool = True
    text_to_image: bool = True
    mean_pooling: bool = False
    fusion: str = "gate"

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "NetworkConfig":
        """Make the config again from what ``dataclasses.asdict`` returned, also if it was stored as JSON."""
        return cls(**{**stored, "vocabulary": Vocabulary.from_dict(stored["vocabulary"])})

    def extends(self, other: "NetworkConfig") -> bool:
        """Return whether this config differs from ``other`` in the vocabulary at most."""
        return replace(other, vocabulary=self.vocabulary) == self


@dataclass(frozen=True)
class Attention:
    """Attention weights of each class: (B, K, R) on regions, (B, K, T) on segments, (B, K, X) on further text fields.

    The weights of a class on regions sum to at most 1, and so do those on segments and fields together.
    """

    regions_BKR: Tensor
    segments_BKT: Tensor
    fields_BKX: Tensor


@dataclass(frozen=True)
class _Sides:
    """States and masks of both channels after they attended to each other; tokens are segments, fields, the page."""

    region_BRD: Tensor
    token_BTD: Tensor
    region_mask_BR: Tensor
    token_mask_BT: Tensor


class Attend(nn.Module):
    """Multi-head attention with one more, empty place in the source, so that an empty source has an answer of zero."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.heads, width, self.mean_pooling = config.heads, config.width, config.mean_pooling
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, query_BQD: Tensor, source_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        """Return the answers (B, Q, D) of the source to the queries; ``mask_BS`` is False for padding."""
        if self.mean_pooling:
            mean_B1D: Tensor = self.out(self.value(_mean(source_BSD, mask_BS)))[:, None]
            return mean_B1D.expand(-1, query_BQD.shape[1], -1)
        # Key and value have no bias, so the zeros added in front answer with zeros.
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
        """Return the attention weights (B, Q, S), mean of the heads; the rest to 1 is the weight of the empty place."""
        if self.mean_pooling:
            share_BS = mask_BS / mask_BS.sum(1, keepdim=True).clamp(min=1)
            return share_BS[:, None].expand(-1, query_BQD.shape[1], -1)
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
    """The network; its logits are log-odds of each label, which the tagger averages with those of its other models.

    Example::

        network = make_network(config, seed=7)
        logit_BK = network(batch.floats())
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, values, fields = config.width, len(config.vocabulary.industries), len(config.vocabulary.fields)
        self.image_in = nn.Linear(config.image_width, width)
        self.place = nn.Parameter(torch.randn(GRID * GRID, width) * 0.02)
        self.text_in = nn.Linear(config.text_width, width)
        self.geometry_in = nn.Linear(GEOMETRY, width)
        self.flag_in = nn.Linear(config.flags, width, bias=False) if config.flags else None
        self.page_mean_P = nn.Buffer(torch.zeros(config.page))
        self.page_scale_P = nn.Buffer(torch.ones(config.page))
        self.page_in = nn.Linear(config.page, width)
        self.field_name = nn.Parameter(torch.zeros(fields, width))
        self.field_weight = nn.Parameter(torch.ones(fields))
        self.industry_in = nn.Linear(config.text_width, width, bias=False)
        self.industry_offset = nn.Parameter(torch.zeros(values, config.text_width))
        self.industry_value = nn.Parameter(torch.zeros(values, width))
        self.image_norm, self.text_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.image_to_text = Attend(config) if config.image_to_text else None
        self.text_to_image = Attend(config) if config.text_to_image else None
        self.image_mix_norm, self.text_mix_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.fusion = make_fusion(config.fusion, width)
        self.query = nn.Parameter(torch.randn(config.classes, width) * 0.2)
        self.ask_image = Attend(config) if self.fusion.asks else None
        self.ask_text = Attend(config) if self.fusion.asks else None
        self.head_norm = nn.LayerNorm(width)
        self.head = nn.Parameter(torch.zeros(config.classes, self.fusion.voices, width))
        self.bias = nn.Parameter(torch.zeros(config.classes))

    def state(self) -> State:
        return State(prefixed("network.", self.state_dict()), {"network": asdict(self.config)})

    @classmethod
    def from_state(cls, state: State) -> "Network | None":
        """Make the network again from the tagger's ``state()``, in evaluation mode. Return None if none was trained."""
        if state.facts["network"] is None:
            return None
        with torch.device("meta"):
            network = cls(NetworkConfig.from_dict(state.facts["network"]))
        network.load_state_dict(state.under("network."), assign=True)
        return network.eval()

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters by the part that a training phase selects: head, attention or projections."""
        head = ("head", "bias", "fusion", "query")
        attention = ("image_to_text", "text_to_image", "ask_", "image_mix_norm", "text_mix_norm", "field_weight")
        named: dict[str, list[nn.Parameter]] = {"head": [], "attention": [], "projections": []}
        for name, parameter in self.named_parameters():
            part = "head" if name.startswith(head) else "attention" if name.startswith(attention) else "projections"
            named[part].append(parameter)
        return named

    def forward(self, batch: Batch) -> Tensor:
        """Return the logits (B, K)."""
        return self._logits(batch, self._sides(batch))

    def answers(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits (B, K) and what `states` returns, for the cost of one of them."""
        sides = self._sides(batch)
        return self._logits(batch, sides), sides.token_BTD[:, : batch.segment_mask_NT.shape[1]], sides.region_BRD

    def _logits(self, batch: Batch, sides: _Sides) -> Tensor:
        industry_BD = self._industry(batch)
        has_industry_B = batch.level_mask_NL.any(1) & self.config.use_industry
        there_BM = torch.stack([sides.region_mask_BR.any(1), sides.token_mask_BT.any(1), has_industry_B], dim=1)
        pooled_BMD = torch.stack(
            [_mean(sides.region_BRD, sides.region_mask_BR), _mean(sides.token_BTD, sides.token_mask_BT), industry_BD],
            dim=1,
        )
        asked_BKMD = pooled_BMD[:, None].expand(-1, self.config.classes, -1, -1)
        if self.ask_image is not None and self.ask_text is not None:
            query_BKD = self.query.expand(len(batch), -1, -1)
            seen_BKD = self.ask_image(query_BKD, sides.region_BRD, sides.region_mask_BR)
            read_BKD = self.ask_text(query_BKD, sides.token_BTD, sides.token_mask_BT)
            # Industry is one vector, so it is the same for each class.
            asked_BKMD = torch.stack([seen_BKD, read_BKD, asked_BKMD[:, :, 2]], dim=2)
        voices = self.fusion(
            Channels(asked_BKMD * there_BM[:, None, :, None], pooled_BMD * there_BM[..., None], there_BM)
        )
        said_BKSD = dropout(self.head_norm(voices.said_BKSD), self.config.dropout, self.training)
        logit_BK: Tensor = ((said_BKSD * self.head).sum(-1) * voices.share_BKS).sum(-1) + self.bias
        return logit_BK

    def attention(self, batch: Batch) -> Attention | None:
        """Return the attention weights of each class; None for a fusion without class queries."""
        if self.ask_image is None or self.ask_text is None:
            return None
        sides = self._sides(batch)
        query_BKD = self.query.expand(len(batch), -1, -1)
        region_BKR = self.ask_image.weights(query_BKD, sides.region_BRD, sides.region_mask_BR)
        token_BKT = self.ask_text.weights(query_BKD, sides.token_BTD, sides.token_mask_BT)
        segments, fields = batch.segment_mask_NT.shape[1], batch.field_mask_NX.shape[1]
        return Attention(region_BKR, token_BKT[..., :segments], token_BKT[..., segments : segments + fields])

    def states(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the states of the segments (B, T, D) and regions (B, R, D) after the channels' exchange, untrained."""
        with torch.inference_mode(False), torch.no_grad():
            sides = self._sides(batch)
        return sides.token_BTD[:, : batch.segment_mask_NT.shape[1]], sides.region_BRD

    def _sides(self, batch: Batch) -> _Sides:
        """Return the states of regions and tokens after the two channels have attended to each other."""
        region_mask_BR = batch.region_mask_NR & self.config.use_image
        read_BT = torch.cat([batch.segment_mask_NT, batch.field_mask_NX, batch.page_mask_N1], dim=1)
        token_mask_BT = read_BT & self.config.use_text
        region_BRD = self.image_norm(self.image_in(batch.region_NRC) + self.place)
        segment_BTD = self.text_in(batch.segment_NTE) + self.geometry_in(batch.geometry_NTG)
        if self.flag_in is not None:
            segment_BTD = segment_BTD + self.flag_in(batch.flag_NTF)
        field_BXD = self.text_norm(self.text_in(batch.field_NXE) + self.field_name)
        # The clamp keeps one unusual statistic from deciding the answer.
        page_BP = ((batch.page_NP - self.page_mean_P) / self.page_scale_P).clamp(-4, 4) / 4
        page_B1D = self.text_norm(self.page_in(page_BP))[:, None]
        token_BTD = torch.cat([self.text_norm(segment_BTD), field_BXD * self.field_weight[:, None], page_B1D], dim=1)
        # Both directions start from the states before the exchange.
        mixed_BRD, mixed_BTD = region_BRD, token_BTD
        if self.image_to_text is not None:
            mixed_BRD = self.image_mix_norm(region_BRD + self.image_to_text(region_BRD, token_BTD, token_mask_BT))
        if self.text_to_image is not None:
            mixed_BTD = self.text_mix_norm(token_BTD + self.text_to_image(token_BTD, region_BRD, region_mask_BR))
        return _Sides(mixed_BRD, mixed_BTD, region_mask_BR, token_mask_BT)

    def _industry(self, batch: Batch) -> Tensor:
        """Return the state (B, D) of the industry; a value outside the vocabulary counts by its embedding alone."""
        values = torch.arange(len(self.industry_value), device=batch.level_NL.device)
        onehot_BLV = (batch.level_NL[..., None] == values).to(self.industry_value.dtype)
        embedded_BLE = batch.level_NLE + onehot_BLV @ self.industry_offset
        level_BLD = self.industry_in(embedded_BLE) + onehot_BLV @ self.industry_value
        there_BL1 = batch.level_mask_NL[..., None]
        industry_BD: Tensor = (level_BLD * there_BL1).sum(1) / there_BL1.sum(1).clamp(min=1) ** 0.5
        return industry_BD


class OptimizerState(dict[str, Tensor]):
    """AdamW's state of each parameter, by names such as ``head.exp_avg``, from which the next training continues."""

    def state(self) -> State:
        return State(prefixed("optimizer.", self))

    @classmethod
    def from_state(cls, state: State) -> "OptimizerState":
        """Make it again from the tagger's ``state()``. It is empty if no network was trained."""
        return cls(state.under("optimizer."))


def make_network(config: NetworkConfig, seed: int) -> Network:
    """Return a new network whose weights depend on the seed alone; torch's own random state does not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(config)


def grown(network: Network, config: NetworkConfig) -> Network:
    """Return a copy with rows for the values and fields that ``config`` adds; new rows start as in a new network.

    Raises ValueError when ``config`` differs in more than a larger vocabulary.
    """
    if not config.extends(network.config):
        raise ValueError("this network cannot grow into another form; make a new one")
    if config == network.config:
        return copy.deepcopy(network)
    larger = make_network(config, 0)
    state = larger.state_dict()
    for name, learned in network.state_dict().items():
        state[name][: len(learned)] = learned
    larger.load_state_dict(state)
    return larger


def _mean(states_BSD: Tensor, mask_BS: Tensor) -> Tensor:
    """Return the mean state (B, D) of the places that are no padding; zeros where all are padding."""
    return (states_BSD * mask_BS[..., None]).sum(1) / mask_BS.sum(1, keepdim=True).clamp(min=1)
