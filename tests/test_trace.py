"""The form of an answer: what is written can be read back, and nothing else passes for it."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.trace import Trace, extract_sql, parse, render

TAGS = ("<think>", "</think>", "<sql>", "</sql>")
FREE_TEXT = st.text(max_size=80).filter(lambda text: text.strip() and not any(tag in text for tag in TAGS))


@given(FREE_TEXT, FREE_TEXT)
def test_what_is_rendered_is_parsed_back(think, sql):
    assert parse(render(think, sql)) == Trace(think.strip(), sql.strip())
    assert extract_sql(render(think, sql)) == sql.strip()


@given(st.lists(st.sampled_from([*TAGS, "a", " ", "\n", "SELECT 1"]), max_size=9))
def test_parse_accepts_only_each_tag_once_and_in_order(pieces):
    text = "".join(pieces)
    trace = parse(text)
    if trace is not None:
        positions = [text.index(tag) for tag in TAGS]
        assert positions == sorted(positions) and all(text.count(tag) == 1 for tag in TAGS)
        assert parse(render(trace.think, trace.sql)) == trace


@given(FREE_TEXT, FREE_TEXT, FREE_TEXT)
def test_parse_refuses_anything_around_the_two_parts(think, sql, more):
    whole = render(think, sql)
    assume(more.strip())
    assert parse(more + whole) is None
    assert parse(whole + more) is None
    assert parse(whole.replace("</think>\n", f"</think>\n{more}")) is None


@pytest.mark.parametrize("text", ["", "SELECT 1", render("a plan", "SELECT 1")[:-1], render(" ", "SELECT 1")])
def test_parse_refuses_what_is_not_whole(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("<think>p</think><sql>SELECT 1", "SELECT 1"),
        ("<think>p</think><sql>SELECT 1</sql> or <sql>SELECT 2</sql>", "SELECT 2"),
        ("<think>use SELECT 9</think>\n```sql\nSELECT 2\n```", "SELECT 2"),
        ("Sure. SELECT name FROM city", "SELECT name FROM city"),
        ("I do not know.", None),
        ("<think>SELECT 9</think><sql>  </sql>", None),
    ],
)
def test_extract_finds_the_query_after_the_plan(text, sql):
    assert extract_sql(text) == sql
