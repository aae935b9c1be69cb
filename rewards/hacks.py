"""Known ways to earn a reward without answering the question."""

from rewards import form_hacks, query_hacks  # each adds its own
from rewards.hack import HACKS, Hack, Limit

__all__ = ["HACKS", "Hack", "Limit", "form_hacks", "query_hacks"]
