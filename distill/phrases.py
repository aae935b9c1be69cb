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
    "cust": "customer", "apt": "apartment", "crs": "course", "org": "organization", "firstname": "first name",
    "lastname": "last name",
}  # fmt: skip
_SAME = {"gender": "sex", "ids": "id"}
_EMPTY = {"of", "the", "a", "an", "in", "to", "and", "or", "is", "by", "at", "on", "for", "with", "from", "has", "have"}
_LINKS = {"of", "the", "a", "an", "in", "on", "at", "to", "for", "all", "any", "its", "their", "each"}
_LINKS_OF_COLUMNS = _LINKS | {"is", "are", "with", "by"}
"""Words that may stand between those of one name."""
_ENDINGS = ("ements", "ement", "ments", "ment", "ings", "ing", "ers", "er", "ors", "or", "ions", "ion", "ed", "e", "ly")
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
    stems = tuple(stem(_SAME.get(word, word)) for word in lower)
    return Question(text, tuple(match.span() for match in found), lower, stems)


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


VAGUE = set(map(stem, ("name", "type", "id", "code", "detail", "record", "list", "ref", "number", "of")))
"""Stems in names that say nothing alone."""


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


def main_stem(name: str) -> str:
    """Return the stem that says most about what a name means: the last that is not vague.

    >>> main_stem("pet_names"), main_stem("festival_detail")
    ('pet', 'festival')
    """
    return next((word for word in reversed(name_stems(name)) if word not in VAGUE), "")


def name_spans(question: Question, name: str, links: set[str] = _LINKS) -> list[Span]:
    """Return where the words of a name stand together, best first: most of its words in the fewest words.

    links: words that may stand between them.  A key's "id" must be among them.

    >>> name_spans(read_question("What are the first and last names?"), "first_name")
    [(3, 6), (3, 3), (6, 6)]
    """
    wanted, main = set(name_stems(name)), main_stem(name)
    hits = [place for place, word in enumerate(question.stems) if word in wanted]
    spans = []
    for start in hits:
        for end in (place for place in hits if start <= place < start + len(wanted) + 3):
            inside = [question.stems[place] for place in hits if start <= place <= end]
            said = set(inside)
            enough = 2 * len(said) >= len(wanted) and ("id" in said or "id" not in wanted)
            if enough and len(inside) == len(said) and _is_one_name(question, (start, end), wanted, links):
                spans.append((-len(said), end - start, main not in said, start, end))
    return [(start, end) for *_, start, end in sorted(spans)]


def _is_one_name(question: Question, span: Span, wanted: set[str], links: set[str]) -> bool:
    """Return whether only links part the words of a name; "first and last name" holds a first name too."""
    start, end = span
    if end - start in (2, 3) and question.lower[start + 1] == "and" and question.stems[start] != question.stems[end]:
        return end - start == 2 or question.stems[start + 2] not in wanted
    places = range(start, end + 1)
    linked = all(question.stems[place] in wanted or question.lower[place] in links for place in places)
    return linked and not crosses(question, span)


def column_spans(question: Question, table: str, column: str) -> list[Span]:
    """Return where words name a column, best first: near its table's words where several do.

    >>> question = read_question("What is the born state of the oldest head?")
    >>> quote_of(question, column_spans(question, "head", "born_state")[0])
    'born state'
    """
    wanted, of_table = set(name_stems(column)), set(name_stems(table))
    own = wanted - of_table or wanted  # "customer" alone does not ask for customer_phone
    tables, main = [start for start, _ in name_spans(question, table)], main_stem(column)

    def rank(span: Span) -> tuple[float, ...]:
        said = set(question.stems[span[0] : span[1] + 1])
        length = span[1] - span[0] + 1
        unbroken = len(said & wanted) if len(said & wanted) == length else 0
        near_table = min((_distance(span[1], place) for place in tables), default=0)
        vague = not said & own - VAGUE
        return (
            -len(said & own),
            vague,
            main not in said,
            -unbroken,
            length,
            not _spelled(question, span, column),
            near_table,
        )

    spans = name_spans(question, column, _LINKS_OF_COLUMNS)
    telling = [span for span in spans if own & set(question.stems[span[0] : span[1] + 1])]
    return sorted(telling or (spans if own <= VAGUE else []), key=rank)


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
    if second[0] - first[1] > gap + 1 or re.search(r'[.?!;]\s|"', between(question, one, other)):
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
    text = question.text
    if text[start:end].count("'") % 2:
        start, end = (start, end + 1) if text[end : end + 1] == "'" else (start - (text[start - 1 : start] == "'"), end)
    if text[start:end].count("(") > text[start:end].count(")") and text[end : end + 1] == ")":
        end += 1
    pieces = re.split(r'["\n]', text[start:end])  # a quote inside a quote would not read as one
    return max(pieces, key=len).strip().removesuffix(" of")


def between(question: Question, one: Span, other: Span) -> str:
    """Return the text between two stretches, "" where they touch or overlap."""
    first, second = sorted((one, other))
    return question.text[question.places[first[1]][1] : question.places[second[0]][0]] if second[0] > first[1] else ""
