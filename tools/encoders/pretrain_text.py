"""Trains the shipped text encoder on generated titles and copy that are not the samples'.

    python -m tools.encoders.pretrain_text --minutes 10 --seed 1000000 --work FOLDER

Masked language modelling (Devlin et al., BERT, 2019), and, from the mean of a title's tokens, which of 80 product
categories it names. No label of the samples is used. ``--minutes`` is processor time. ``--work`` holds the progress: a
run that was stopped goes on there (its optimizer starts afresh).
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from model.encoders import weights
from model.encoders.shipped import TEXT_FOLDER
from tools.encoders.vocabulary import vocabulary
from tools.samples import phrases
from tools.samples.brands import brand, title
from tools.samples.catalogue import INDUSTRIES, Industry

WIDTH, LAYERS, HEADS = 128, 4, 4
LONGEST = 64
BATCH = 128
SORTED = 8  # batches sorted by length together: little padding
PEAK_RATE, DECAY = 2e-3, 0.01
MASKED, KEPT = 0.15, 0.2  # share of tokens asked for; of these, the share that is not hidden
VOCABULARY_TEXTS = 20_000
SAVE_EVERY = 60.0  # seconds of processor time
NO_CATEGORY = -100  # copy names none; cross entropy's own mark for "do not ask"


def texts(seed: int) -> Iterator[tuple[str, int]]:
    """Titles and copy without end, with the category's number or NO_CATEGORY."""
    rng = Random(f"texts {seed}")
    while True:
        number = rng.randrange(len(INDUSTRIES))
        industry = INDUSTRIES[number]
        if rng.random() < 0.5:
            yield title(rng, brand(rng, rng.randrange(seed, seed + 1000)), industry), number
        else:
            yield _copy(rng, industry), NO_CATEGORY


def batches(seed: int) -> Iterator[list[tuple[str, int]]]:
    """Batches of texts of about one length, in random order."""
    stream, rng = texts(seed), Random(f"batches {seed}")
    while True:
        pool = sorted(islice(stream, SORTED * BATCH), key=lambda said: len(said[0]))
        starts = list(range(0, len(pool), BATCH))
        rng.shuffle(starts)
        yield from (pool[start : start + BATCH] for start in starts)


def _copy(rng: Random, industry: Industry) -> str:
    gift = rng.choice(industry.gifts)[0]
    return rng.choice(
        (
            lambda: " ".join(phrases.copy_lines(rng, industry, rng.randint(1, 3))),
            lambda: phrases.service(rng),
            lambda: phrases.badge(rng),
            lambda: " ".join(phrases.english(rng)),
            lambda: phrases.announcement(rng, gift),
            lambda: phrases.caption(rng, gift),
            lambda: f"{phrases.price_label(rng)} ¥{phrases.amount(rng, industry)}",
            lambda: phrases.reduction(rng),
            lambda: phrases.figure(rng, industry),
            lambda: f"{industry.level1} {industry.level2}",
        )
    )()


class Student(nn.Module):
    """The encoder with its two heads; only the encoder is kept."""

    def __init__(self, words: int) -> None:
        super().__init__()
        config = BertConfig(
            vocab_size=words,
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            intermediate_size=4 * WIDTH,
            max_position_embeddings=LONGEST,
            hidden_dropout_prob=0.0,  # texts are made without end: nothing to over-fit
            attention_probs_dropout_prob=0.0,
        )
        self.language = BertForMaskedLM(config)
        self.category = nn.Linear(WIDTH, len(INDUSTRIES))

    def loss(self, tokens_BT: Tensor, attention_BT: Tensor, hidden_BT: Tensor, category_B: Tensor) -> Tensor:
        """Cross entropy of the masked tokens plus that of the categories."""
        encoded_BTE = self.language.bert(tokens_BT, attention_mask=attention_BT).last_hidden_state
        asked = hidden_BT != NO_CATEGORY
        masked = functional.cross_entropy(self.language.cls(encoded_BTE[asked]), hidden_BT[asked])
        content_BT = (attention_BT * (tokens_BT > 4)).float()
        mean_BE = torch.einsum("bte,bt->be", encoded_BTE, content_BT) / content_BT.sum(1, keepdim=True).clamp(min=1)
        if bool((category_B != NO_CATEGORY).any()):
            masked = masked + 0.3 * functional.cross_entropy(self.category(mean_BE), category_B)
        return masked


class Run:
    """One training by the clock: the learning rate rises for 5 % of the time and falls along a cosine."""

    def __init__(self, tokenizer: Any, seed: int, state: Path, seconds: float) -> None:
        self.tokenizer, self.state, self.seconds = tokenizer, state, seconds
        self.student = Student(len(tokenizer))
        self.elapsed = 0.0
        if state.exists():
            stored = weights.load(state)
            self.elapsed = float(stored.pop("elapsed"))
            self.student.load_state_dict(stored, strict=False)
        self.stream = batches(seed + 1 + int(self.elapsed))
        self.generator = torch.Generator().manual_seed(seed + int(self.elapsed))
        self.optimizer = torch.optim.AdamW(self.student.parameters(), weight_decay=DECAY)

    def go(self) -> BertForMaskedLM:
        """Train until the time is over."""
        began, saved, step = time.process_time() - self.elapsed, self.elapsed, 0
        while self.elapsed < self.seconds:
            loss = self._step()
            self.elapsed, step = time.process_time() - began, step + 1
            if self.elapsed - saved > SAVE_EVERY:
                self._save()
                saved = self.elapsed
                sys.stderr.write(f"{self.elapsed:5.0f} s, step {step}, loss {loss:.3f}\n")
        self._save()
        return self.student.language

    def _step(self) -> float:
        share = self.elapsed / self.seconds
        for group in self.optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(share / 0.05, (1 + math.cos(math.pi * share)) / 2) + 1e-6
        loss = self.student.loss(*self._batch())
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())

    def _batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Tokens with some hidden, attention, what was hidden (else NO_CATEGORY), and categories."""
        said, categories = zip(*next(self.stream), strict=True)
        inputs = self.tokenizer(list(said), padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
        tokens_BT: Tensor = inputs["input_ids"]
        asked_BT = (torch.rand(tokens_BT.shape, generator=self.generator) < MASKED) & (tokens_BT > 4)
        asked_BT[:, 1] |= ~asked_BT.any(dim=1)
        hidden_BT = torch.where(asked_BT, tokens_BT, NO_CATEGORY)
        kept_BT = torch.rand(tokens_BT.shape, generator=self.generator) < KEPT
        shown_BT = torch.where(asked_BT & ~kept_BT, self.tokenizer.mask_token_id, tokens_BT)
        return shown_BT, inputs["attention_mask"], hidden_BT, torch.tensor(categories)

    def _save(self) -> None:
        part = self.state.with_suffix(".part")
        tensors = {name: tensor.clone().contiguous() for name, tensor in self.student.state_dict().items()}
        save_file(tensors | {"elapsed": torch.tensor(self.elapsed)}, part)
        part.replace(self.state)


def write(language: BertForMaskedLM, tokenizer: Any, folder: Path) -> None:
    """The encoder in half precision with its tokenizer, as a folder that transformers reads."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    language.bert.half().save_pretrained(folder)  # type: ignore[no-untyped-call]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1_000_000, help="of the texts and of the training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, required=True, help="folder for the progress")
    parser.add_argument("--out", type=Path, default=TEXT_FOLDER)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.work.mkdir(parents=True, exist_ok=True)
    words = vocabulary(text for text, _ in islice(texts(options.seed), VOCABULARY_TEXTS))
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(words)}, do_lower_case=True)
    run = Run(tokenizer, options.seed, options.work / f"text-{options.seed}.safetensors", options.minutes * 60)
    write(run.go(), tokenizer, options.out)


if __name__ == "__main__":
    main()
