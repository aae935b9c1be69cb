"""Is an answer too long, or does it say the same again and again?  Penalties: 0.0 is the best there is."""

import re

from configs.errors import ConfigError
from rewards.text import Completion, text_of

CHARACTERS_A_TOKEN = 3.5
_WORD = re.compile(r"\w+|[^\w\s]")


def soft_overlong(
    prompts: list,
    completions: list[Completion],
    completion_ids: list[list[int]] | None = None,
    *,
    max_completion_length: int = 512,
    cache_share: float = 0.2,
    **_: object,
) -> list[float]:
    """Return 0.0 for answers of at most L − C tokens, less for longer ones in a straight line, −1.0 from L on.

    DAPO's soft overlong punishment (Yu et al., 2025, arXiv 2503.14476, equation 13): (L − C − tokens) / C in between.
    L is `max_completion_length`, in training the run's own; C is `cache_share` of it, 4,096 of 20,480 tokens there.
    Training tells the tokens (`completion_ids`); elsewhere they are estimated as one in CHARACTERS_A_TOKEN characters.
    """
    if max_completion_length < 1 or not 0 < cache_share <= 1:
        raise ConfigError(
            f"reward 'soft_overlong': max_completion_length {max_completion_length}, cache_share {cache_share}; "
            "allowed: 1 token or more, and a share above 0 and up to 1"
        )
    cache = cache_share * max_completion_length
    texts = [] if completion_ids is not None else map(text_of, completions)
    lengths = map(len, completion_ids) if completion_ids is not None else (len(t) / CHARACTERS_A_TOKEN for t in texts)
    return [max(-1.0, min(0.0, (max_completion_length - cache - length) / cache)) for length in lengths]


def repetition(
    prompts: list,
    completions: list[Completion],
    *,
    n: int = 8,
    allowed: float = 0.25,
    penalty: float = 1.0,
    **_: object,
) -> list[float]:
    """Return 0.0 for answers that seldom repeat themselves, down to −`penalty` for those that do nothing else.

    −`penalty` · max(0, s − `allowed`) / (1 − `allowed`), where s = 1 − different runs / runs of `n` words, as in
    open-r1's `get_repetition_penalty_reward` (there nothing is `allowed`), after Yeo et al. (2025, arXiv 2502.03373),
    appendix C.2, who take it off token by token.  Honest plans repeat themselves too, as set operations read a table
    twice: s is 0.0 for 90 % of the plan traces of Spider's train set and up to 0.27 for 99 %; were that taken off,
    silence would pay.
    """
    if n < 1 or penalty < 0 or not 0 <= allowed < 1:
        raise ConfigError(
            f"reward 'repetition': n {n}, allowed {allowed}, penalty {penalty}; "
            "allowed: n of 1 or more, a share from 0 to less than 1, a penalty of 0 or more"
        )
    shares = [repeated_share(text_of(completion), n) for completion in completions]
    return [penalty * min(0.0, (allowed - share) / (1 - allowed)) for share in shares]


def repeated_share(text: str, n: int) -> float:
    """Return which share of the runs of `n` words, letter case aside, stood in the text before.

    >>> repeated_share("open city open city open city", 2), repeated_share("open", 2)
    (0.6, 0.0)
    """
    words = _WORD.findall(text.casefold())
    runs = list(zip(*(words[start:] for start in range(n)), strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0
