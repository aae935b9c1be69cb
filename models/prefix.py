"""Prompts that begin alike: what they share, the schema of their database or all of it, is computed once.

A batch of B prompts has D different beginnings.  These are computed first, as D rows; then each prompt gets a copy of
its own one's keys and values, and only the rest is computed as B rows.  Both parts are padded on the left:

    columns of the batch   [padding | beginning | padding | rest]

The mask hides the padding, and positions count what it shows, so that the answers are those to the whole prompts,
but for the noise of floats that any other padding makes too.
"""

import sys
from collections.abc import Sequence

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

Tokens = Sequence[int]
LEAST = 0.5
"""Share of the shorter of two neighbours, in the order of their tokens, from which they count as beginning alike."""
WORTH_IT = 0.75


def families(prompts: Sequence[Tokens]) -> list[list[int]]:
    """Return the positions of prompts that begin alike, family by family: the longest prompts first in both.

    >>> families([[1, 2, 3, 4], [7, 8], [1, 2, 3, 5, 6]])
    [[2, 0], [1]]
    """
    found: list[list[int]] = []
    for place in sorted(range(len(prompts)), key=lambda place: prompts[place]):
        before = prompts[found[-1][-1]] if found else ()
        if found and common(before, prompts[place]) > LEAST * min(len(before), len(prompts[place])):
            found[-1].append(place)
        else:
            found.append([place])
    for family in found:
        family.sort(key=lambda place: -len(prompts[place]))
    return sorted(found, key=lambda family: -len(prompts[family[0]]))


def common(one: Tokens, other: Tokens) -> int:
    """Return how many tokens two prompts have in common at their beginning.

    >>> common([1, 2, 3], [1, 2, 4]), common([1], [1]), common([], [1])
    (2, 1, 0)
    """
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def batch_inputs(model, prompts: Sequence[Tokens], pad: int) -> dict:
    """Return what `model.generate` takes for B prompts: input_ids, attention_mask, and past_key_values where it pays.

    It pays where there is at most WORTH_IT of the padded batch left to compute.  Unsloth, once it is imported, has
    models generate in its own way, with a cache of its own.
    """
    if "unsloth" not in sys.modules and _has_plain_cache(model) and (inputs := _shared(model, prompts, pad)):
        return inputs
    ids, mask = _padded(prompts, pad, model.device)
    return {"input_ids": ids, "attention_mask": mask}


def _shared(model, prompts: Sequence[Tokens], pad: int) -> dict | None:
    """Return the inputs of a batch whose beginnings are computed already; None where that does not pay."""
    kin = families(prompts)
    beginnings = [_beginning([prompts[place] for place in family]) for family in kin]
    owner = {place: number for number, family in enumerate(kin) for place in family}
    rests = [prompt[len(beginnings[owner[place]]) :] for place, prompt in enumerate(prompts)]
    first, rest = (max(map(len, part)) for part in (beginnings, rests))
    whole = max(map(len, prompts)) * len(prompts)
    if len(kin) * first + len(prompts) * rest > WORTH_IT * whole:
        return None
    ids, mask = _padded(beginnings, pad, model.device)
    cache = DynamicCache(config=model.config)
    with torch.inference_mode():
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, logits_to_keep=1)
    rows = torch.tensor([owner[place] for place in range(len(prompts))], device=model.device)
    cache.batch_select_indices(rows)
    rest_ids, rest_mask = _padded(rests, pad, model.device)
    return {
        "input_ids": torch.cat([ids[rows], rest_ids], dim=1),
        "attention_mask": torch.cat([mask[rows], rest_mask], dim=1),
        "past_key_values": cache,
    }


def _beginning(family: Sequence[Tokens]) -> Tokens:
    """Return what all prompts of a family begin with; the last token of each is left to be computed."""
    low, high = min(family), max(family)
    return low[: min(common(low, high), *(len(prompt) - 1 for prompt in family))]


def _has_plain_cache(model) -> bool:
    """Tell whether the model keeps keys and values of all tokens in every layer, and nothing else."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)


def _padded(rows: Sequence[Tokens], pad: int, device) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids = [[pad] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
