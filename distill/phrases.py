"""Which words of a question stand for a table, a column, a value or a clause; found by spelling alone."""

import re
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|\w+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONG = {
    "num": "number", "no": "number", "nbr": "number", "qty": "quantity", "amt": "amount", "avg": "average",
    "desc": "description", "addr": "address", "tel": "telephone", "dept": "department", "stu": "student",
    "emp": "employee", "fname": "first name", "lname": "last name", "dob": "birth", "yr": "year", "max": "maximum",
    "min": "minimum", "temp": "temperature", "pop": "population", "lat": "latitude", "long": "longitude",
    "prof": "professor", "fac": "faculty", "gender": "sex", "mgr": "manager", "univ": "university", "acc": "account",
    "cust": "customer", "apt": "apartment", "crs": "course", "org": "organization",
}  # fmt: skip
_EMPTY = {"of", "the", "a", "an", "in", "to", "and", "or", "is", "by", "at", "on", "for", "with", "from", "has", "have"}
VAGUE = {"name", "type", "id", "code", "detail", "record", "list", "ref", "numb", "of"}
"""Stems in names that say nothing alone."""
_ENDINGS = ("ements", "ement", "ments", "ment", "ings", "ing", "ers", "er", "ors", "or", "ions", "ion", "ed", "e", "y")
_NUMBERS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100,
    "once": 1, "twice": 2,
}  # fmt: skip


Span = tuple[int, int]
"""The first and the last word of a stretch of a question, counted from 0."""


@dataclass(frozen=True)
class Question:
    """A question with its words: their places in `text`, lower-case forms and stems, all of one length."""

    text: str
    places: tuple[tuple[int, int], ...]
    lower: tuple[str, ...]
    stems: tuple[str, ...]


@lru_cache(maxsize=512)
def read_question(text: str) -> Question:
    """Return the question taken apart into words."""
    found = list(_WORD.finditer(text))
    lower = tuple(match.group().lower() for match in found)
    return Question(text, tuple(match.span() for match in found), lower, tuple(map(stem, lower)))


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return what a word shares with its plural and its nearest relatives.

    >>> stem("cities") == stem("city"), stem("managed") == stem("management"), stem("classes") == stem("class")
    (True, True, True)
    """
    word = re.sub(r"['’]s?$", "", word.lower())
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = re.sub(r"(?<=[sxz])es$|(?<=[cs]h)es$", "", word) if re.search(r"(ss|x|z|[cs]h)es$", word) else word[:-1]
    if word.endswith("ie") and len(word) > 4:
        word = word[:-2] + "y"
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


@lru_cache(maxsize=20_000)
def name_stems(name: str) -> tuple[str, ...]:
    """Return the stems of the words that a table or column name is made of.

    >>> name_stems("num_employees"), name_stems("birthYear"), name_stems("head_ID")
    (('numb', 'employe'), ('birth', 'year'), ('head', 'id'))
    """
    parts = [name] if name.lower() in _LONG else _PARTS.findall(name)
    words = [word for part in parts for word in _LONG.get(part.lower(), part.lower()).split()]
    said = [word for word in words if word not in _EMPTY]
    return tuple(dict.fromkeys(stem(word) for word in said or words))


def name_spans(question: Question, name: str, others: int = 1) -> list[Span]:
    """Return where the words of a name stand together, best first: most of its words in the fewest words.

    others: how many other words may stand between them.  A key's "id" must be among them.
    """
    wanted = set(name_stems(name))
    hits = [place for place, word in enumerate(question.stems) if word in wanted]
    spans = []
    for start in hits:
        inside = [place for place in hits if start <= place < start + len(wanted) + others]
        for end in inside:
            said = {question.stems[place] for place in inside if place <= end}
            enough = 2 * len(said) >= len(wanted) and ("id" in said or "id" not in wanted)
            if enough and not crosses(question, (start, end)):
                spans.append((-len(said), end - start, start, end))
    return [(start, end) for *_, start, end in sorted(spans)]


def column_span(question: Question, table: str, column: str) -> Span | None:
    """Return the words that name a column, the ones near its table's words where several do.

    >>> question = read_question("What is the born state of the oldest head?")
    >>> quote_of(question, column_span(question, "head", "born_state"))
    'born state'
    """
    wanted, of_table = set(name_stems(column)), set(name_stems(table))
    own = wanted - of_table or wanted  # "customer" alone does not ask for customer_phone
    tables = [start for start, _ in name_spans(question, table)]

    def rank(span: Span) -> tuple[float, ...]:
        said = set(question.stems[span[0] : span[1] + 1])
        length = span[1] - span[0] + 1
        unbroken = len(said & wanted) if len(said & wanted) == length else 0
        near_table = min((_distance(span[1], place) for place in tables), default=0)
        vague = not said & own - VAGUE
        return -len(said & own), vague, -unbroken, length, not _spelled(question, span, column), near_table

    spans = name_spans(question, column, others=3)
    telling = [span for span in spans if own & set(question.stems[span[0] : span[1] + 1])]
    return min(telling or (spans if own <= VAGUE else []), key=rank, default=None)


def _spelled(question: Question, span: Span, name: str) -> bool:
    """Return whether a word stands as in the name, plural or not: "directors" over "directed" for director."""
    words = {part.lower().rstrip("s") for part in _PARTS.findall(name)}
    return any(question.lower[place].rstrip("s") in words for place in range(span[0], span[1] + 1))


def _distance(end: int, place: int) -> float:
    """Tables are named after their columns ("name of the singer"), so words before count half as near."""
    return place - end if place >= end else 2 * (end - place)


def value_spans(question: Question, value: str) -> list[Span]:
    """Return where a value of a condition stands: its own words, or a number in words.

    >>> value_spans(read_question("Which films have at least two stars?"), "2")
    [(5, 5)]
    >>> value_spans(read_question("Who lives in New York?"), "%new york%")
    [(3, 4)]
    >>> value_spans(read_question("Which Italian films are old?"), "Italy")
    [(1, 1)]
    """
    words = tuple(match.group().lower() for match in _WORD.finditer(value.strip("%_ ")))
    if not words:
        return []
    size = len(words)
    spans = [
        (place, place + size - 1)
        for place in range(len(question.lower) - size + 1)
        if question.lower[place : place + size] == words
    ]
    if spans:
        return spans
    if number := _number(value):
        return [(place, place) for place, word in enumerate(question.lower) if _number(word) == number]
    stems = tuple(map(stem, words))
    spans = [
        (place, place + size - 1)
        for place in range(len(question.stems) - size + 1)
        if question.stems[place : place + size] == stems and len("".join(stems)) > 2
    ]
    if spans or size > 1 or len(words[0]) < 5:
        return spans
    root = words[0][:-1]  # Italy, Italian
    return [(place, place) for place, word in enumerate(question.lower) if word.startswith(root)]


def _number(word: str) -> float | None:
    if word in _NUMBERS:
        return float(_NUMBERS[word])
    try:
        return float(word.replace(",", ""))
    except ValueError:
        return None


def cue_spans(question: Question, pattern: str) -> list[Span]:
    """Return where whole words match `pattern`, in the question's order.

    >>> cue_spans(read_question("Is it older than 9 or younger than 3?"), r"\\w+er than")
    [(2, 3), (6, 7)]
    """
    spans = []
    for match in re.finditer(rf"\b(?:{pattern})(?!\w)", question.text, re.IGNORECASE):
        inside = [n for n, (start, end) in enumerate(question.places) if start < match.end() and end > match.start()]
        if inside:
            spans.append((inside[0], inside[-1]))
    return spans


def joined(question: Question, one: Span, other: Span, gap: int) -> Span | None:
    """Return the stretch over both; None where more than `gap` words, a sentence's end or a quote mark lie between."""
    first, second = sorted((one, other))
    between = question.text[question.places[first[1]][1] : question.places[second[0]][0]]
    if second[0] - first[1] > gap + 1 or re.search(r'[.?!;]\s|"', between):
        return None
    return first[0], max(first[1], second[1])


def crosses(question: Question, span: Span) -> bool:
    """Return whether a stretch runs over an "and", an "or", a comma or a bracket: then it names more than one thing."""
    text = question.text[question.places[span[0]][0] : question.places[span[1]][1]]
    return re.search(r"[,;.?!]\s|[()]|\b(and|or)\b", text, re.IGNORECASE) is not None


def near(one: Span | None, other: Span | None) -> int:
    """Return how many words lie between two stretches; 0 where either is unknown."""
    if one is None or other is None:
        return 0
    first, second = sorted((one, other))
    return max(0, second[0] - first[1])


def quote_of(question: Question, span: Span | None) -> str:
    """Return the text of a stretch, "" for none and where it would not read as one quote."""
    if span is None:
        return ""
    start, end = question.places[span[0]][0], question.places[span[1]][1]
    if question.text[start:end].count("'") % 2 and question.text[end : end + 1] == "'":
        end += 1
    if (
        question.text[start:end].count("(") > question.text[start:end].count(")")
        and question.text[end : end + 1] == ")"
    ):
        end += 1
    pieces = re.split(r'["\n]', question.text[start:end])  # a quote inside a quote would not read as one
    return max(pieces, key=len).strip()
