"""Near gold without gold's rows: the tables and columns of a query, its tree and its words."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigError
from rewards import load_reward
from rewards.linking import schema_linking
from rewards.similarity import sql_similarity
from tasks.mutations import near_misses
from tasks.trace import render
from tests.cities import DATABASE, GOLD, columns
from tests.shop import GOLDS, JOIN, columns_of

NO_SUCH_FUNCTION = "SELECT name FROM city WHERE nowhere(country) = 'Italy'"
WORDS = ["SELECT", "FROM", "JOIN", "WHERE", "(", ")", ",", "*", "1", "'x'", "name", "city", "country"]
METRICS = [(schema_linking, {}), (sql_similarity, {"metric": "tree"}), (sql_similarity, {"metric": "ngrams"})]


def paid(reward, *sqls: str, gold_sql: str = GOLD, database: object = DATABASE, **params) -> list[float | None]:
    """What a reward pays for queries; without a gate, so that none is run, if nothing else is said."""
    answers = [render("plan", sql) for sql in sqls]
    batch = columns(len(sqls), gold_sql) | {"database": [str(database)] * len(sqls)}
    return reward([""] * len(sqls), answers, **batch, **({"gate": "none"} | params))


@pytest.mark.parametrize(("reward", "params"), METRICS)
def test_gold_earns_the_maximum_and_hacks_nothing(reward, params, shop):
    for gold in [*GOLDS, JOIN]:
        whole, constant, text = paid(reward, gold, "SELECT 1", "What is there?", gold_sql=gold, database=shop, **params)
        assert (whole, constant, text) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(("reward", "params"), METRICS)
@pytest.mark.parametrize(
    "same",
    [
        "select NAME, P.Amount from CUSTOMER as X join Purchase P on p.customer = X.ID where amount > 2",
        'SELECT customer.name,\n\tpurchase."amount" FROM customer JOIN purchase ON purchase.customer=customer.id '
        "WHERE purchase.amount>2;",
    ],
)
def test_aliases_case_and_white_space_do_not_matter(reward, params, same, shop):
    assert paid(reward, same, gold_sql=JOIN, database=shop, **params) == [1.0]


@given(st.sampled_from(GOLDS), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_no_spelling_matters(shop, gold, chance: random.Random):
    pieces = gold.split("'")  # what stands in quotes stays
    pieces[::2] = [spelled(piece, chance) for piece in pieces[::2]]
    for reward, params in METRICS:
        assert paid(reward, "'".join(pieces), gold_sql=gold, database=shop, **params) == [1.0]


def spelled(text: str, chance: random.Random) -> str:
    cased = (chance.choice((char.lower(), char.upper())) for char in text)
    return "".join(chance.choice(("  ", "\n", " ")) if char == " " else char for char in cased)


@given(st.text(max_size=80) | st.lists(st.sampled_from(WORDS)).map(" ".join))
@settings(max_examples=60)
def test_any_text_is_paid_within_range(text):
    for reward, params in METRICS:
        (score,) = paid(reward, text, **params)
        assert 0.0 <= score <= 1.0


@pytest.mark.parametrize("metric", ["tree", "ngrams"])
def test_near_misses_are_paid_less_than_gold_and_more_than_another_query(metric, shop, schema):
    for gold in GOLDS:
        misses = [miss.sql for miss in near_misses(gold, columns_of(schema))]
        scores = paid(sql_similarity, *misses, gold_sql=gold, database=shop, metric=metric)
        (other,) = paid(sql_similarity, "SELECT day FROM purchase", gold_sql=gold, database=shop, metric=metric)
        assert max(scores) < 1.0 and sum(score > other for score in scores) >= 0.9 * len(scores)


def test_a_tree_knows_no_order_of_conditions_nor_how_they_are_written():
    gold = (
        "SELECT c.name FROM city c JOIN country k ON c.country = k.name WHERE k.continent = 'Africa' AND population > 5"
    )
    same = "SELECT c.name FROM city c, country k WHERE 5 < population AND (continent = 'Africa') AND c.country = k.name"
    assert paid(sql_similarity, same, gold_sql=gold) == [1.0]
    assert paid(sql_similarity, same, gold_sql=gold, metric="ngrams")[0] < 0.9


def test_tables_and_columns_are_weighed():
    other_column, padded = (
        "SELECT population FROM city",
        "SELECT c.name FROM city c, country k WHERE c.country = 'Italy'",
    )
    assert paid(schema_linking, GOLD, other_column, padded, tables=1.0) == [1.0, 1.0, pytest.approx(2 / 3)]
    assert paid(schema_linking, GOLD, other_column, padded, tables=0.0) == [1.0, 0.0, 1.0]
    assert paid(schema_linking, other_column) == [0.5]


def test_a_star_uses_what_it_delivers():
    exact, dump = paid(schema_linking, "SELECT name, country FROM city", "SELECT * FROM city, country", tables=0.0)
    assert (exact, dump) == (1.0, pytest.approx(2 * 2 / (2 + 5)))


@pytest.mark.parametrize("reward", [schema_linking, sql_similarity])
def test_only_answers_that_pass_the_gate_are_paid(reward):
    near = "SELECT name FROM city WHERE country = 'Egypt'"
    for gate, earns in {"none": (1, 1, 1), "runs": (1, 1, 0), "right": (1, 0, 0)}.items():
        scores = paid(reward, GOLD, near, NO_SUCH_FUNCTION, gate=gate)
        assert tuple(score > 0 for score in scores) == earns
    assert paid(reward, GOLD, near, gate="runs", gold_sql="SELECT x FROM nowhere") == [None, None]
    assert paid(reward, GOLD, gold_sql="SELECT x FROM nowhere") == [None]


def test_what_runs_but_cannot_be_read_is_not_judged():
    odd = "SELECT name FROM (city) AS c, json_each('[1]')"
    assert paid(schema_linking, odd, gate="runs") == [None]
    assert paid(schema_linking, odd) == [0.0]


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [("schema_linking", {"tables": 1.5}, "0 to 1"), ("sql_similarity", {"n": 0}, "1 or more")],
)
def test_settings_out_of_range_are_told(name, params, said):
    with pytest.raises(ConfigError, match=said):
        load_reward(name, params)
