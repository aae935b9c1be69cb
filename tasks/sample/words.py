"""English for the grammar: what stands in the domain files is a plural verb phrase; the rest is derived.

A phrase such as "were born after _" has a blank for the value.  From it come the relative form ("players born
after 1990"), the finite form ("Which players were born after 1990?") and the singular ("Who was born …").
"""

from datetime import date
from random import Random

NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}


def fill(phrase: str, value: object) -> str:
    """Return the phrase with its blank filled.

    >>> fill("were born after _", 1990)
    'were born after 1990'
    >>> fill("are billed as a _", "opera")
    'are billed as an opera'
    """
    said = str(value)
    return (phrase.replace(" a _", f" {article(said)}") if said[:1].isalpha() else phrase).replace("_", said)


def finite(vp: str) -> str:
    """Return a verb phrase as it follows "Which books …".

    >>> finite("with more than 300 pages"), finite("cost 9 euros")
    ('have more than 300 pages', 'cost 9 euros')
    """
    return "have " + vp.removeprefix("with ") if vp.startswith("with ") else vp


def singular(vp: str) -> str:
    """Return a verb phrase in the third person singular.

    >>> singular("with two cats"), singular("were born in Oslo"), singular("carry mail"), singular("play chess")
    ('has two cats', 'was born in Oslo', 'carries mail', 'plays chess')
    """
    verb, _, rest = finite(vp).partition(" ")
    irregular = {"have": "has", "are": "is", "were": "was", "do": "does", "go": "goes"}
    if verb in irregular:
        verb = irregular[verb]
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        verb = verb[:-1] + "ies"
    elif verb.endswith(("s", "x", "ch", "sh")):
        verb += "es"
    elif not verb.endswith("ed"):  # "joined" is the same for one and for many
        verb += "s"
    return f"{verb} {rest}".strip()


def relative(vp: str, who: bool, one: bool = False) -> str:
    """Return a verb phrase as it follows a noun.

    >>> relative("were born in Oslo", who=True), relative("live in Oslo", who=True, one=True)
    ('born in Oslo', 'who lives in Oslo')
    >>> relative("are red", who=False)
    'that are red'
    """
    verb, _, rest = vp.partition(" ")
    if verb == "with":
        return vp
    if verb in ("are", "were") and " " in rest and not rest.startswith(("not ", "never ", "a ", "an ")):
        return rest
    return f"{'who' if who else 'that'} {singular(vp) if one else vp}"


def plural(noun: str) -> str:
    """Return the regular plural of a noun, of its head where "of" follows.

    >>> plural("city"), plural("date of birth"), plural("branch")
    ('cities', 'dates of birth', 'branches')
    """
    head, of, rest = noun.partition(" of ")
    if head.endswith("y") and head[-2] not in "aeiou":
        head = head[:-1] + "ies"
    elif head.endswith(("s", "x", "ch", "sh")):
        head += "es"
    else:
        head += "s"
    return head + of + rest


def article(noun: str) -> str:
    """Return the noun with "a" or "an".

    >>> article("author"), article("university"), article("hour"), article("book")
    ('an author', 'a university', 'an hour', 'a book')
    """
    vowel = noun[0].lower() in "aeiou" and not noun.lower().startswith(("uni", "use", "eu", "one"))
    return f"{'an' if vowel or noun.startswith('hour') else 'a'} {noun}"


def sentence(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[0].upper() + text[1:]


def enumeration(words: list[str], last: str = "and") -> str:
    """Return words as a person lists them.

    >>> enumeration(["red", "blue", "green"], "or")
    'red, blue or green'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def number(value: float, year: bool = False) -> str:
    """Return a number as people write it.

    >>> number(25000), number(1998, year=True), number(4.5), number(20.0)
    ('25,000', '1998', '4.5', '20')
    """
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 and not year else str(value)


def day(iso: str, rng: Random) -> str:
    """Return an ISO date in one of the ways in which people write it."""
    when = date.fromisoformat(iso)
    month = when.strftime("%B")
    return rng.choice([iso, iso, f"{month} {when.day}, {when.year}", f"{when.day} {month} {when.year}"])


def month(iso_month: str) -> str:
    """Return a month in words.

    >>> month("2023-05")
    'May 2023'
    """
    return date.fromisoformat(iso_month + "-01").strftime("%B %Y")
