"""Measure the exact search among many vectors: python -m bench.search --speed

The machine may be shared, so each time stands beside that of a plain read of the same file in the same run. FAISS is
measured where it is installed.
"""

import importlib.util
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import run

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.search.nearest import nearest
from model.search.projection import WIDTH
from worker.search.index import Entry, Index, Rows

PART = 50_000
REPEATS = 9
COLD = """
import os, sys, time
from pathlib import Path
began = time.perf_counter()
import torch
from model.search.nearest import nearest
from worker.search.index import Index, Rows
imported = time.perf_counter()
index = Index(Path(sys.argv[1]))
rows = Rows.of(index)
opened = time.perf_counter()
found = nearest(rows.vectors_ND, rows.vectors_ND[12_345 % len(rows.vectors_ND)], 10, rows.task_N >= 0)
print(f"{imported - began:.2f} {opened - imported:.2f} {time.perf_counter() - opened:.2f}")
"""


def measure(items: int, folder: Path) -> None:
    """Print a Markdown table of times, in milliseconds, and as ratios to a plain read."""
    place = folder / "search-speed"
    shutil.rmtree(place, ignore_errors=True)
    try:
        index = Index(place)
        seconds = [added(index, start, min(PART, items - start)) for start in range(0, items, PART)]
        grown = added(index, items, 1_000)
        rows = Rows.of(index)
        vectors_ND = rows.vectors_ND
        queries = [vectors_ND[number * 997 % items] for number in range(REPEATS)]
        allowed_N = rows.task_N >= 0
        flat = np.memmap(place / rows.state.file, dtype=np.int64, mode="r")
        times = {
            "plain read of the file, one core": timed(lambda _: int(np.bitwise_or.reduce(flat)), queries),
            "exact top 10": timed(lambda query_D: nearest(vectors_ND, query_D, 10, allowed_N), queries),
            "the same, one in a hundred allowed": timed(
                lambda query_D: nearest(vectors_ND, query_D, 10, rows.task_N % 100 == 0), queries
            ),
            **faiss_times(vectors_ND, queries),
        }
        check(vectors_ND, queries[1])
        plain = np.median(times["plain read of the file, one core"])
        print(f"\n{items + 1_000:,} vectors of {WIDTH}, {torch.get_num_threads()} threads\n")
        print("| | ms, median | ms, least | ratio to the read |\n|---|---|---|---|")
        for name, each in times.items():
            print(f"| {name} | {np.median(each):.0f} | {min(each):.0f} | {np.median(each) / plain:.2f} |")
        print(f"\nadding the first {PART:,}: {seconds[0]:.1f} s, the last: {seconds[-1]:.1f} s; "
              f"adding 1,000 at the end: {grown:.2f} s")  # fmt: skip
        cold = run([sys.executable, "-c", COLD, str(place)], capture_output=True, text=True, check=True).stdout.split()
        print(f"cold start: imports {cold[0]} s, opening {cold[1]} s, first search {cold[2]} s")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def added(index: Index, start: int, count: int) -> float:
    """Add made-up items, and return the seconds that the index took."""
    noise = torch.Generator().manual_seed(start)
    vectors_ND = normalize(torch.randn(count, WIDTH, generator=noise), dim=1).half()
    entries = [
        Entry(task, task, f"{task:064x}", task % 9973, task, f"item {task % 5000}", "", ("shop",))
        for task in range(start, start + count)
    ]
    began = time.perf_counter()
    with index.writing() as writer:
        writer.begin("bench", "none")
        writer.add(entries, vectors_ND)
    return time.perf_counter() - began


def timed(work: Callable[[Tensor], object], queries: list[Tensor]) -> list[float]:
    """Return the milliseconds of each query, after one that is not measured."""
    work(queries[0])
    times = []
    for query_D in queries:
        began = time.perf_counter()
        work(query_D)
        times.append(1000 * (time.perf_counter() - began))
    return times


def check(vectors_ND: Tensor, query_D: Tensor) -> None:
    """Raise AssertionError unless the ten best are those of double precision."""
    scores = [vectors_ND[start : start + PART].double() @ query_D.double() for start in range(0, len(vectors_ND), PART)]
    wanted = torch.cat(scores).topk(10).indices.tolist()
    assert nearest(vectors_ND, query_D, 10)[0] == wanted


def faiss_times(vectors_ND: Tensor, queries: list[Tensor]) -> dict[str, list[float]]:
    """Return the times of FAISS' exact indexes, where it is installed: single precision, and half precision."""
    if importlib.util.find_spec("faiss") is None:
        return {}
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    times = {}
    half = faiss.IndexScalarQuantizer(WIDTH, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    for name, index in (("FAISS, half precision", half), ("FAISS, single precision", faiss.IndexFlatIP(WIDTH))):
        for start in range(0, len(vectors_ND), PART):
            index.add(vectors_ND[start : start + PART].float().numpy())
        times[name] = timed(lambda query_D, index=index: index.search(query_D.float().numpy()[None], 10), queries)  # type: ignore[misc]
        index.reset()
    return times
