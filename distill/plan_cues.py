"""The words of a question that ask for a comparison, an order, a group or a set: patterns for `cue_spans`."""

import re

from sqlglot import exp

_THAN = (
    r"(no |not )?((more|less|fewer|greater|higher|lower|larger|smaller|bigger|longer|shorter|older|younger|cheaper"
    r"|heavier|lighter|taller|earlier|later|faster|slower|better|worse) (\w+ ){0,4}?|\w+er )than( or equal to)?"
)
_ORDERED = rf"{_THAN}|above|below|over|under|after|before|older|younger|exceed(s|ing|ed)?"
_BOUNDS = r"since|at least|at most|between|(?<!apart )from|prior to|up to|until|within|exactly"
_EQUAL = (
    r"(?<!apart )from|since|exactly|contain(s|ing)?|includ(es|ing|e)|(start|begin|end)(s|ning|ing)? with"
    r"|named|called|titled"
)
_UP = r"(more|greater|higher|larger|bigger|longer) |above|over|exceed|at least|after|since"
_DOWN = r"(less|fewer|lower|smaller|shorter) |below|under|at most|before|prior|up to|until"
UNLIKE = r"not|outside|other than|apart from|except( for)?|excluding|\w+n't( \w+)?"
AFTER = (
    r"(or|and) (more|less|fewer|above|below|older|younger|higher|lower|later|earlier|after|before|greater|larger)\b"
    r"(?! than)|times"
)
HOW_MUCH = r"( (number|amount|count)( of( the)? \w+)?)?"
_KIND = r"( (recent|common|popular|expensive|frequent|important|used|often|(frequent|common)ly))?"
MOST = (
    rf"most{_KIND}|highest|largest|biggest|greatest|maximum|max"
    r"|latest|newest|oldest|longest|tallest|best|top|heaviest|richest|last(?! name)|recent|busiest|fastest"
)
LEAST = (
    rf"least{_KIND}|fewest|lowest|smallest|minimum|min|earliest"
    r"|first(?! name)|youngest|shortest|cheapest|worst|slowest|lightest"
)
OTHER_MOST = r"(?!inter|for|te|re|gu|fo|ha|man|har|con|we)\w{3,}est"
ORDER = (
    r"((sorted|sort|ordered|ranked|listed) )?(in )?(an |the )?"
    r"(alphabetic(al)?|ascending|descending|decreasing|increasing|lexicographic\w*|chronological"
    r"|reverse\w*) (\w+ )?order( of| by)?|alphabetically|order by|in( the)? order of|from (the )?\w+ to (the )?\w+"
    r"|(sort(ed|ing)?|order(ed|ing)?|rank(ed|ing)?|arranged?|list(ed)?)( \w+){0,3}? (by|from|according to|based on)"
    r"|order( \w+){4,5}? by|(the )?\w+(est|most|recent)( \w+)?( \w+)? first|sorted"
)
OUTPUTS = {
    exp.Count: r"how many( (different|distinct|unique|total))?( \w+)?|(the )?(total )?numbers?( of( \w+)?)?"
    r"|count(?! of)|amount of",
    exp.Avg: r"average|mean|avg",
    exp.Sum: r"total|sum|how many|how much|combined|overall|number of",
    exp.Max: rf"({MOST}){HOW_MUCH}",
    exp.Min: rf"({LEAST}){HOW_MUCH}",
}
EACH = r"(for |in |of |by |from )?(each|every)|per|group(ed)? by|different"
BY = r"(?<!ed )by|corresponding|respective(ly)?"
DIFFERENT = r"different|distinct|unique|differing|various"
NEGATION = (
    r"(do|does|did|has|have|is|are|was|were|had)( not|n't|n’t)( \w+)?|not( \w+)?|never( \w+)?|no \w+"
    r"|without( \w+)?|except( \w+)?|excluding( \w+)?|none|neither|leaving out|apart from|other than"
)
NULL = r"no|missing|without|null|not|unknown|empty|lack(s|ing)?"
SETS = {
    "intersect": (r"both", r"and also|as well as|also", r"and"),
    "except": (NEGATION, r"but"),
    "union": (r"either", r"as well as|together|combined", r"or", r"and"),
}
SEXES = {"f": r"females?|wom[ae]n|girls?", "m": r"males?|m[ae]n|boys?"}


def compared(tree: exp.Expr, with_value: bool) -> str:
    """Return the pattern of the words that ask for a comparison; `with_value`: with a value that the question names."""
    if is_negated(tree):
        return UNLIKE
    if isinstance(tree, exp.GT | exp.GTE | exp.LT | exp.LTE | exp.Between):
        return f"{_ORDERED}|{_BOUNDS}" if with_value else _ORDERED
    return f"{_ORDERED}|{_BOUNDS}|{_EQUAL}" if isinstance(tree, exp.Or) else _EQUAL


def is_negated(tree: exp.Expr) -> bool:
    """Tell whether a condition says what is not to be; NOT LIKE is no Not in sqlglot's tree."""
    return isinstance(tree, exp.Not | exp.NEQ) or bool(tree.args.get("negate"))


def fits(tree: exp.Expr, words: str) -> bool:
    """Tell whether the words of a comparison may ask for `tree`: "less than" does not ask for >.

    >>> fits(exp.GT(), "less than"), fits(exp.GTE(), "no less than"), fits(exp.GT(), "older than")
    (False, True, True)
    """
    wrong = _DOWN if isinstance(tree, exp.GT | exp.GTE) else _UP if isinstance(tree, exp.LT | exp.LTE) else None
    return wrong is None or re.match(wrong, words, re.IGNORECASE) is None
