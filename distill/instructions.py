"""What a teacher that is asked in words is told: the form of the answer, with worked examples of each kind."""

from tasks.prompt import messages
from tasks.task import Task
from tasks.trace import Kind, render

Messages = list[dict[str, str]]

_SCHEMA = """\
band(id int pk, name text, founded int)
concert(id int pk, band_id -> band.id, city text, visitors int)"""

_FORMS: dict[Kind, str] = {
    "plan": """\
You write SQLite queries and show how you got there. Answer in exactly this form, and add nothing to it:

<think>
Step 1: ...
Step 2: ...
</think>
<sql>
one SELECT statement
</sql>

In <think> write the query plan, one numbered step a line, in the order in which the database would work: \
which tables are opened and why, which rows are kept, how tables are joined, what is grouped and counted, \
what each subquery delivers, how the result is ordered and cut, which columns are delivered. Say which words \
of the question each step serves. Write columns as table.column, with the names of the schema and no others.""",
    "cot": """\
You write SQLite queries and think before you answer. Answer in exactly this form, and add nothing to it:

<think>
your reasoning, in your own words
</think>
<sql>
one SELECT statement
</sql>

Write columns as table.column, with the names of the schema and no others.""",
    "sql_only": """\
You write SQLite queries. Answer in exactly this form, and add nothing to it:

<sql>
one SELECT statement
</sql>""",
}
_LAST = "In <sql> return the columns that the question asks for, in the order in which it names them, and no others."

_EXAMPLES: tuple[tuple[str, str, str, str], ...] = (
    (
        "Which bands founded before 1990 played in Oslo? Give each name once.",
        """\
Step 1: Open band and keep the rows with band.founded < 1990, for "founded before 1990".
Step 2: Open concert and keep the rows with concert.city = 'Oslo', for "played in Oslo".
Step 3: Join them where concert.band_id = band.id, so that each concert has its band.
Step 4: Deliver band.name, each different name once.""",
        "I need names of bands, which are in band.name. Founded before 1990 is band.founded < 1990. Whether a band "
        "played in Oslo is in concert.city, so concert must be joined by concert.band_id. A band may have played there "
        "often, but each name is wanted once, hence DISTINCT.",
        "SELECT DISTINCT band.name FROM band JOIN concert ON concert.band_id = band.id "
        "WHERE band.founded < 1990 AND concert.city = 'Oslo'",
    ),
    (
        "Which city had more visitors in all than the average concert has, and how many? Most visited first.",
        """\
Step 1: Subquery A: open concert and deliver avg(concert.visitors), for "the average concert".
Step 2: Open concert and group its rows by concert.city, for "which city".
Step 3: Keep the groups with sum(concert.visitors) > A, for "more visitors in all than the average concert has".
Step 4: Sort by sum(concert.visitors), the highest first, for "most visited first".
Step 5: Deliver concert.city and sum(concert.visitors).""",
        "Visitors in all of a city are the sum of concert.visitors over its concerts, so I group by concert.city. The "
        "average concert is avg(concert.visitors) over all of them, which takes a subquery. The sum is compared with "
        "it after the grouping, so it belongs in HAVING. The city with the highest sum comes first.",
        "SELECT concert.city, sum(concert.visitors) FROM concert GROUP BY concert.city "
        "HAVING sum(concert.visitors) > (SELECT avg(concert.visitors) FROM concert) "
        "ORDER BY sum(concert.visitors) DESC",
    ),
)


def instruction(kind: Kind) -> str:
    """Return the system message: the form and two worked examples over a small schema."""
    shown = []
    for question, plan, thought, sql in _EXAMPLES:
        think = {"plan": plan, "cot": thought, "sql_only": ""}[kind]
        shown.append(f"{_SCHEMA}\nQuestion: {question}\n\n{render(think, sql)}")
    examples = "\n\n".join(f"Example {number}:\n\n{text}" for number, text in enumerate(shown, 1))
    return f"{_FORMS[kind]}\n{_LAST}\n\n{examples}"


def first_time(task: Task, style: str, sample_values: int, kind: Kind) -> Messages:
    """Return the chat that puts a question."""
    _, question = messages(task, style, sample_values)
    return [{"role": "system", "content": instruction(kind)}, question]


def again(chat: Messages, answer: str, reason: str, detail: str) -> Messages:
    """Return the chat that puts a question again, with the answer that was rejected and why."""
    why = f"{reason}: {detail}" if detail else reason
    return [
        *chat,
        {"role": "assistant", "content": answer or "…"},
        {"role": "user", "content": f"That answer cannot be used: {why}. Answer again, in the same form."},
    ]
