"""What the teacher of a run costs."""

from budget.hours import Interval
from budget.prices import Prices
from budget.work import Work
from configs.schema import Config

SERVERS = ("openai", "inference_endpoints")
NOTHING = Interval(0, 0)
MILLION = 1_000_000


def teacher_dollars(cfg: Config, work: Work, prices: Prices) -> Interval | None:
    """Return what the answers of the teacher cost; None where that is not known.

    `plan` costs nothing.  A server's answers cost what the config says a token does, else what the price table says
    an answer of this model did.  A teacher that is loaded here costs the machine's hours alone.

    work: of distill.
    """
    chosen = cfg.distill
    if chosen.teacher not in SERVERS:
        return NOTHING
    if chosen.input_price is not None and chosen.output_price is not None:
        cost = (work.tokens * chosen.input_price + work.generated_tokens * chosen.output_price) / MILLION
        return Interval(cost, cost)
    known = prices.teachers.get((chosen.model or "").rpartition("/")[2].lower())
    if not known:
        return None
    answers = (chosen.traces + chosen.validation_traces) * chosen.generations
    each = sorted(row.dollars_per_answer for row in known)
    return Interval(answers * each[0], answers * each[-1])
