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
    r"(?<!apart )from|since|exactly|contain(s|ing)?|(?<!not )includ(es|ing|e)|(start|begin|end)(s|ning|ing)? with"
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
_KIND = r"( (recent|common|popular|expensive|frequent|important|often|(frequent|common|recent)ly))?( used)?"
MOST = (
    rf"(?<!at )most{_KIND}|highest|largest|biggest|greatest|maximum|max"
    r"|latest|newest|oldest|longest|tallest|best|top|heaviest|richest|last(?! name)|recent|busiest|fastest"
)
LEAST = (
    rf"(?<!at )least{_KIND}|fewest|lowest|smallest|minimum|min|earliest"
    r"|first(?! name)|youngest|shortest|cheapest|worst|slowest|lightest"
)
OTHER_MOST = r"(?!inter|for|te|re|gu|fo|ha|man|har|con|we)\w{3,}est"
RECENT = r"most recent(ly)?|latest|newest|last|recent(ly)?"
NOT_ASCENDING = "(most )?recent(ly)?|latest|newest|most|greatest|largest|biggest"
NOT_DESCENDING = "earliest|fewest|least|smallest|cheapest"
"""Superlatives that a query with that order cannot serve; "oldest" may go by age or by birth, "best" by rank."""
ORDER = (
    r"((sorted|sort|ordered|ranked|listed) )?(in )?(an |the )?"
    r"(alphabetic(al)?|ascending|descending|decreasing|increasing|lexicographic\w*|chronological"
    r"|reverse\w*) (\w+ )?order( (of|by)( (the|their|its))?( \w+)?)?|alphabetically"
    r"|(in|by)( the)? order of( (the|their|its))?( \w+)?|from (the )?\w+ to (the )?\w+"
    r"|(sort(ed|ing)?|order(ed|ing)?|rank(ed|ing)?|arranged?|list(ed)?)( \w+){0,3}? (by|from|according to|based on)"
    r"( (the|their|its|each))*( \w+)?|order( \w+){4,5}? by( (the|their|its))?( \w+)?"
    r"|(the )?\w+(est|most|recent)( \w+)?( \w+)? first|sorted"
)
OUTPUTS = {
    exp.Count: r"how many( (different|distinct|unique|total))*( are there| \w+)?"
    r"|(the )?(total )?(numbers?|counts?)( of( (all|the|different|distinct|unique|total|their|its))*( \w+)?)?"
    r"|amount of",
    exp.Avg: r"average|mean|avg",
    exp.Sum: r"total( (number|amount|count|quantity)( of)?)?|sum|how (many|much)( total)?|combined|overall|number of",
    exp.Max: rf"({MOST}){HOW_MUCH}",
    exp.Min: rf"({LEAST}){HOW_MUCH}",
}
EACH = r"(for |in |of |by |from )?(each|every)|per|group(ed)? by|different"
BY = r"(?<!ed )by|corresponding|respective(ly)?"
DIFFERENT = r"different|distinct|unique|differing|various"
_FILLED = r"( (have|had|been|be|any|an?|the|some|one|in|on|at|to|from|with|by|of|yet|ever|also))* \w+"
NEGATION = (
    rf"(do|does|did|has|have|is|are|was|were|had)( not| never)({_FILLED})?|\w+n['’]t({_FILLED})?"
    rf"|(?<!or )(not|never)({_FILLED})?|no \w+|without({_FILLED})?|except({_FILLED})?|excluding({_FILLED})?"
    r"|none|neither|leaving out|apart from|other than"
)
NULL = r"no|missing|without|null|not|unknown|empty|lack(s|ing)?"
SETS = {
    "intersect": (r"both", r"and also|as well as|also"),
    "except": (r"but",),
    "union": (r"either", r"as well as|together|combined", r"or"),
}
NO_NOUN = (
    r"[,;.?!()]|\b(and|or|who|that|which|whose|with|without|in|on|for|of|each|per|from|by|than|do(es)?|did|is|are|was|were"
    r"|has|have|had|not|no|never)\b"
)
"""What parts a number from the words of what is counted."""
LINKING = "is|are|was|were|be|of|the|an?|in|as|at|to|for|with|equals?|equal to|has|code|named|called|number"
"""Words between a column and its value that say only that they belong together."""
SEXES = {"f": r"females?|wom[ae]n|girls?", "m": r"males?|m[ae]n|boys?"}


def compared(tree: exp.Expr, with_value: bool) -> str:
    """Return the pattern of the words that ask for a comparison; `with_value`: with a value that the question names."""
    if is_negated(tree):
        return f"{NEGATION}|{UNLIKE}"
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
