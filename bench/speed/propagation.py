"""How fast are the most similar gold items of every item found, exactly?

    python -m bench.speed.propagation [--short] [--threads 2]

Made-up vectors of 512 numbers, in clusters. The peers are scikit-learn's brute search and, where it is installed
(pip install faiss-cpu), FAISS' exact index. Beside them stands the bare matrix product in single precision and in
bfloat16. Then 100 new gold items among many items, beside reading the vectors and multiplying them; and the growth with
the number of items. The largest size is computed from a measured slice of the items, and says so.
"""

import argparse
import importlib.util
from collections.abc import Callable

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn.functional import normalize

from bench.speed.machine import described, peaks
from bench.speed.turns import Result, in_turn, report
from model.weak_supervision.best import Best, GoldVectors, best_among, multiplies_bfloat16
from model.weak_supervision.propagation import NEIGHBOURS, Neighbours

WIDTH = 512
CLUSTERS = 500
PART = 4096
GOLD = 2_000
NEW = 100
"""Gold items that are added to a project that has gold already."""


def made_up(items: int) -> Tensor:
    """Return (items, WIDTH) vectors of unit length around common centres."""
    chance = torch.Generator().manual_seed(1)
    centre_CD = torch.randn(CLUSTERS, WIDTH, generator=chance)
    vectors_ND = torch.empty(items, WIDTH)
    for at in range(0, items, PART):
        own_ND = torch.randn(min(PART, items - at), WIDTH, generator=chance)
        centre_ND = centre_CD[torch.randint(CLUSTERS, (len(own_ND),), generator=chance)]
        vectors_ND[at : at + PART] = normalize(0.7 * centre_ND + own_ND, dim=1)
    return vectors_ND


def multiplied(vectors_ND: Tensor, gold_GD: Tensor) -> None:
    """Multiply all items with the gold, part by part, and keep nothing."""
    for at in range(0, len(vectors_ND), PART):
        vectors_ND[at : at + PART] @ gold_GD.T


def compared(items: int, gold: int, slice_of: int = 1, *, repeats: int) -> None:
    """Compare with the peers: so many items and gold items. Only one item in ``slice_of`` is searched."""
    vectors_ND = made_up(max(items // slice_of, gold))
    rows, wanted = list(range(gold)), len(vectors_ND[: items // slice_of])
    found_ND, gold_GD = vectors_ND[:wanted], vectors_ND[:gold]
    half_ND, half_GD = found_ND.bfloat16(), gold_GD.bfloat16()
    best: list[Best] = []

    def ours() -> None:
        best[:] = [
            best_among(
                GoldVectors.of(rows, vectors_ND), torch.arange(wanted), vectors_ND, Best.none(wanted, NEIGHBOURS)
            )
        ]

    peer = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute", metric="cosine").fit(gold_GD.numpy())
    work: dict[str, Callable[[], object]] = {
        "product, single precision": lambda: multiplied(found_ND, gold_GD),
        "product, bfloat16": lambda: multiplied(half_ND, half_GD),
        "Tagloom": ours,
        "scikit-learn": lambda: peer.kneighbors(found_ND.numpy()),
        **faiss_work(found_ND, gold_GD),
    }
    seconds = in_turn(work, repeats)
    results = [Result(name, seconds[name], wanted, "items") for name in work]
    distance_NM, _ = peer.kneighbors(found_ND[gold:].numpy() if wanted > gold else found_ND.numpy())
    ours_NM = best[0].similarity_NM[gold:] if wanted > gold else None
    off = float((ours_NM - (1 - torch.from_numpy(distance_NM))).abs().max()) if ours_NM is not None else None
    whole = {name: round(items / (wanted / result_seconds(seconds[name])), 2) for name in work}
    report(
        f"the {NEIGHBOURS} nearest of {gold:,} gold items, for {items:,} items"
        + (f" (measured on one in {slice_of})" if slice_of > 1 else ""),
        results,
        described(),
        seconds_for_all=whole,
        largest_difference_from_scikit_learn=off,
        bfloat16_in_hardware=multiplies_bfloat16(),
    )


def result_seconds(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) // 2]


def faiss_work(found_ND: Tensor, gold_GD: Tensor) -> dict[str, Callable[[], object]]:
    """Return FAISS' exact search, where it is installed."""
    if importlib.util.find_spec("faiss") is None:
        print("(FAISS is not installed: pip install faiss-cpu)")
        return {}
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(WIDTH)
    index.add(gold_GD.numpy())
    return {"FAISS": lambda: index.search(found_ND.numpy(), NEIGHBOURS)}


def added(items: int, *, repeats: int) -> None:
    """Add gold to a project that has some."""
    vectors_ND = made_up(items)
    known = Neighbours.empty(vectors_ND).add(range(GOLD))
    new = range(GOLD, GOLD + NEW)
    gold_GD = vectors_ND[new.start : new.stop]
    work: dict[str, Callable[[], object]] = {
        "read and multiply": lambda: multiplied(vectors_ND, gold_GD),
        "Tagloom": lambda: known.add(new),
    }
    seconds = in_turn(work, repeats)
    results = [Result(name, seconds[name], items, "items") for name in work]
    report(f"{NEW} new gold items among {items:,} items", results, described())


def growth(sizes: tuple[int, ...], gold: int, *, repeats: int) -> None:
    """Tell the seconds of several numbers of items."""
    vectors_ND = made_up(max(sizes))
    work = {
        f"{size:,} items": (lambda size=size: Neighbours.empty(vectors_ND[:size]).add(range(gold))) for size in sizes
    }
    seconds = in_turn(work, repeats)
    results = [Result(name, seconds[name], size, "items") for name, size in zip(work, sizes, strict=True)]
    report(f"growth, {gold:,} gold items", results, described())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="small sizes, in less than two minutes")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print({name: round(value, 1) for name, value in peaks().items()})
    if options.short:
        compared(20_000, 2_000, repeats=3)
        added(100_000, repeats=3)
        return
    compared(100_000, 2_000, repeats=5)
    compared(1_000_000, 100_000, slice_of=50, repeats=2)
    added(1_000_000, repeats=3)
    growth((25_000, 50_000, 100_000, 200_000), 2_000, repeats=3)


if __name__ == "__main__":
    main()
