"""Vectors of a joint encoder for a project's pictures, by which words find what is seen.

They lie in an index of their own beside the project's: pictures are fetched and encoded once for each, and stay so
when the other encoders or the projection change.

Shape suffixes: N rows of the project, M of the joint encoder, J its width, K the best.
"""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from labelstudio.decoding import ImageUnavailableError, Picture
from labelstudio.project import ProjectKey
from labelstudio.tasks import item_key, reference_of
from model.encoders.joint import JointEncoder
from store.projects import Project
from worker.search.index import Entry, Index, Rows
from worker.search.looking import index_of
from worker.watch import Ends
from worker.workplace import PART, Workplace

LOG = logging.getLogger(__name__)
FOLDER = "joint"


def joint_index(index: Index, joint: JointEncoder) -> Index:
    """Return the index of a joint encoder's vectors beside a project's index. Its ``space`` is the fingerprint."""
    return Index(index.folder / FOLDER, joint.width)


def see(workplace: Workplace, project: Project, watch: Ends) -> int:
    """Encode by the joint encoder, if there is one, the pictures that were read; return how many were encoded now.

    Pictures that cannot be fetched are tried again by the next job. Raises Interrupted between two parts when the job
    must end; what was encoded by then counts.
    """
    joint = workplace.joint
    if joint is None:
        return 0
    key, config = ProjectKey.parse(project.key), workplace.config_of(project)
    references = {task.id: reference_of(config, task.payload(), key) for task in workplace.store.tasks.all(project.key)}
    keys = {number: item_key(key.connection, one) for number, one in references.items() if one.image}
    index = joint_index(index_of(workplace, project.key), joint)
    before = index.state()
    if before.stamp and before.space != joint.fingerprint:
        LOG.warning("%s: the joint encoder is another one now: all pictures are encoded by it anew", project.key)
    with index.writing() as writer:
        writer.begin(joint.fingerprint, "")
        seen = writer.held()
        writer.remove({number for number, name in seen.items() if keys.get(number) != name})
    missing = [number for number, name in keys.items() if seen.get(number) != name and workplace.cache.has(name)]
    added = 0
    with ThreadPoolExecutor(PART) as threads:
        for start in range(0, len(missing), PART):
            watch.check()
            fetch = workplace.sites.fetcher(key.connection).fetch
            ordered = {number: threads.submit(fetch, references[number]) for number in missing[start : start + PART]}
            fetched = dict(_fetched(ordered))
            if not fetched:
                LOG.warning("%s: no picture can be fetched now: words find those that were encoded before", project.key)
                break
            vectors_NJ = joint.pictures([picture.image for picture in fetched.values()])
            with index.writing() as writer:
                if writer.state.space != joint.fingerprint:
                    break
                writer.add([Entry(number, 0, keys[number], 0, 0, "", "", ()) for number in fetched], vectors_NJ.half())
            added += len(fetched)
    return added


def shown_best(said_J: Tensor, seen: Rows, rows: Rows, allowed_N: Tensor, most: int) -> dict[int, float]:
    """Return up to ``most`` allowed rows whose pictures show best what a text says: 1 for the best, 0 for the mean.

    ``said_J`` is the text's vector, ``seen`` are the rows of the joint encoder, ``rows`` those of the project. Cosines
    of texts and pictures have another scale than those of equal things, and another one for each text.
    """
    cosine_M = torch.mv(seen.vectors_ND, said_J.half()).float()
    at_M = torch.searchsorted(rows.task_N, seen.task_N, sorter=rows.in_order).clamp(max=len(rows.task_N) - 1)
    row_M = rows.in_order[at_M]
    counts_M = (seen.task_N >= 0) & (rows.task_N[row_M] == seen.task_N) & allowed_N[row_M]
    cosine_M, row_M = cosine_M[counts_M], row_M[counts_M]
    if not len(cosine_M):
        return {}
    best, mean = float(cosine_M.max()), float(cosine_M.mean())
    cosine_K, at_K = cosine_M.topk(min(most, len(cosine_M)))
    score_K = ((cosine_K - mean) / max(best - mean, 1e-6)).clamp(min=0)
    return dict(zip(row_M[at_K].tolist(), score_K.tolist(), strict=True))


def _fetched(ordered: Mapping[int, "Future[Picture]"]) -> Iterator[tuple[int, Picture]]:
    for number, future in ordered.items():
        try:
            yield number, future.result()
        except ImageUnavailableError as error:
            LOG.info("task %d: %s", number, error)
