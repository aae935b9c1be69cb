"""The embedded corpus: enough of it, right, and readable."""

import re
import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from configs import paths
from sandbox import execute, execute_many
from tasks import sample
from tasks.level import level
from tasks.sample import load_sample, split_of
from tasks.sample.domain import FOLDER, read_domains
from tasks.sample.rows import make_rows, script

RESIDUE = re.compile(
    r"[{}_]|  | [.,?!]|\b(an?|the|of|and|that|with) \1\b|None|\ba [aeio]\w|\ban (?!hour)[b-df-hj-np-tv-z]"
)
USERNAMES = re.compile(r"\b[a-z]+(_[a-z]+)+\b")  # "nonna_pia" is a name that people chose


@pytest.fixture(scope="module")
def tasks():
    return load_sample()


@pytest.fixture(scope="module")
def results(tasks):
    return execute_many([(task.database, task.gold_sql) for task in tasks])


def test_there_is_enough(tasks):
    assert len(read_domains()) == len(list(FOLDER.glob("*.yaml"))) >= 24
    assert len(tasks) >= 1_200
    assert len({task.database for task in tasks}) == len(read_domains())


def test_task_ids_are_unique(tasks):
    assert len({task.task_id for task in tasks}) == len(tasks)
    assert tasks[0].task_id == "airline-001"


def test_levels_are_those_of_the_query(tasks):
    wrong = [(task.task_id, task.level, task.gold_sql) for task in tasks if level(task.gold_sql) != task.level]
    assert wrong == []


def test_every_domain_has_a_good_mix_of_levels(tasks):
    for domain in read_domains():
        counts = Counter(task.level for task in tasks if task.task_id.startswith(f"{domain.name}-"))
        total = sum(counts.values())
        assert total >= 50, domain.name
        assert counts["L1"] / total <= 0.5 and counts["L2"] / total >= 0.1, domain.name
        assert counts["L3"] / total >= 0.2 and counts["L4"] / total >= 0.08, domain.name


def test_every_gold_query_runs_and_nearly_all_return_rows(tasks, results):
    broken = [(t.task_id, r.message) for t, r in zip(tasks, results, strict=True) if not r.runs]
    assert broken == []
    assert sum(result.status == "ok" for result in results) >= 0.95 * len(tasks)


def test_no_answer_is_a_bare_nothing(results):
    assert not [result.rows for result in results if result.rows in (((0,),), ((None,),))]


def test_same_seed_same_corpus(tasks):
    sample._load.cache_clear()
    assert load_sample() == tasks


def test_another_seed_gives_other_rows_and_questions(tasks):
    other = load_sample(1)
    assert len(other) >= 1_200
    assert not {task.database for task in other} & {task.database for task in tasks}
    shared = {task.question for task in other} & {task.question for task in tasks}
    assert len(shared) < 0.5 * len(tasks)


def test_splits_share_no_database_and_have_all_levels(tasks):
    databases = {"train": set(), "validation": set(), "test": set()}
    levels = {"train": set(), "validation": set(), "test": set()}
    for task in tasks:
        databases[split_of(task)].add(task.database)
        levels[split_of(task)].add(task.level)
    assert [len(databases[split]) for split in databases] == [18, 4, 6]
    assert sum(map(len, databases.values())) == len(set.union(*databases.values()))
    assert all(found == {"L1", "L2", "L3", "L4"} for found in levels.values())


def test_nothing_is_asked_twice_in_a_domain(tasks):
    questions = Counter((task.database, task.question) for task in tasks)
    queries = Counter((task.database, task.gold_sql) for task in tasks)
    assert questions.most_common(1)[0][1] == queries.most_common(1)[0][1] == 1


def test_no_template_shows_through(tasks):
    shown = [task.question for task in tasks if RESIDUE.search(USERNAMES.sub("Name", task.question))]
    assert shown == []


def test_questions_start_in_many_ways(tasks):
    starts = Counter(" ".join(task.question.split()[:2]) for task in tasks)
    assert len(starts) >= 60
    assert starts.most_common(1)[0][1] < 0.15 * len(tasks)


def test_codes_are_explained_where_they_are_used_and_nowhere_else(tasks):
    explained = [task for task in tasks if task.evidence]
    assert 20 <= len(explained) <= 0.1 * len(tasks)
    for task in explained:
        for column, code in re.findall(r"(\w+) '(\w+)' means", task.evidence):
            assert re.search(rf"{column} (=|<>|!=) '{code}'", task.gold_sql), task
    coded = re.compile(r"(status|seeing|floodlit|RiderType|Prescription|\btitle) (=|<>|!=) '[A-Z]{1,2}'")
    assert not [task for task in tasks if coded.search(task.gold_sql) and not task.evidence]


def test_every_label_names_one_row():
    for domain in read_domains():
        rows = make_rows(domain, 0)
        for table in domain.tables.values():
            if table.label:
                labels = [row[table.label.name] for row in rows[table.name]]
                assert len(set(labels)) == len(labels), (domain.name, table.name)


def test_foreign_keys_hold():
    for domain in read_domains():
        with closing(sqlite3.connect(":memory:")) as database:
            database.executescript(script(domain, make_rows(domain, 0)))
            assert database.execute("PRAGMA foreign_key_check").fetchall() == [], domain.name


def test_schemas_are_short():
    for domain in read_domains():
        assert 2 <= len(domain.tables) <= 3, domain.name
        assert 8 <= sum(len(table.columns) for table in domain.tables.values()) <= 15, domain.name
        assert all(len(table.columns) <= 12 and 6 <= table.rows <= 60 for table in domain.tables.values()), domain.name


def test_a_misspelt_key_in_a_domain_file_is_found(tmp_path):
    from tasks.sample.domain import read_domain

    text = (FOLDER / "library.yaml").read_text(encoding="utf-8").replace("most: youngest", "moost: youngest")
    broken = tmp_path / "library.yaml"
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"library.yaml: authors.birth_year: unknown \['moost'\]"):
        read_domain(broken)


def test_databases_lie_in_the_cache(tasks):
    assert tasks[0].database.startswith(str(paths.cache_folder()))
    assert execute(tasks[0].database, "SELECT COUNT(*) FROM flights").rows == ((36,),)
