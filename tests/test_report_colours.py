"""The report's colours: lines and text can be told from the paper, light or dark."""

import re

from evaluation.report.figures import MODELS, OTHERS
from tests.processes import ROOT


def test_colours_are_told_from_both_papers():
    style = (ROOT / "evaluation" / "report" / "page.css").read_text()
    card = re.search(r"--card: light-dark\((#\w{6}), (#\w{6})\)", style).groups()
    for colour in {*MODELS.values(), *OTHERS}:
        assert all(contrast(colour, paper) >= 3 for paper in card), colour
    for name in ("ink", "dim", "accent", "good", "bad", "text"):
        for text, paper in zip(
            re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\)", style).groups(), card, strict=True
        ):
            assert contrast(text, paper) >= 4.5, name


def contrast(colour: str, other: str) -> float:
    """Return the contrast of two colours as in WCAG 2.2, 1–21."""
    dark, light = sorted(map(_luminance, (colour, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
