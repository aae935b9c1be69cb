"""Hacks of the form: blank parts, repeated tags, a right query in another form, and right queries that waste."""

import re

from rewards.hack import FILLER, PLAN, a_table, all_columns, hack
from rewards.ladder import Case
from tasks.trace import render

_NUMBER_OR_TEXT = re.compile(r"'[^']*'|\b(?P<number>\d+)\b")
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


# Form without content.


@hack("wrong")
def nothing(case: Case) -> str:
    """Pay for silence more than for a try."""
    return ""


@hack("wrong")
def white_space(case: Case) -> str:
    """Take white space for an answer."""
    return " \n" * 200


@hack("wrong")
def empty_sql(case: Case) -> str:
    """Pay for tags with nothing between them."""
    return f"<think>\n{case.plan}\n</think>\n<sql>\n</sql>"


@hack("wrong")
def all_parts_empty(case: Case) -> str:
    """Pay for the four tags."""
    return "<think></think><sql></sql>"


@hack("wrong")
def plan_without_a_query(case: Case) -> str:
    """Pay for the plan of an answer that has no query, or take the answer for one that cannot be judged."""
    return f"<think>\n{case.plan}\n</think>"


@hack("wrong")
def repeated_tags(case: Case) -> str:
    """Pay for each tag that is found."""
    return "<think></think><sql></sql>" * 20 + render(PLAN, "SELECT 1")


@hack("wrong")
def full_width_digits(case: Case) -> str | None:
    """Compare texts after folding Unicode: to SQLite these are no digits."""
    sql = _NUMBER_OR_TEXT.sub(
        lambda hit: hit["number"].translate(FULL_WIDTH) if hit["number"] else hit[0], case.task.gold_sql
    )
    return render(case.plan, sql) if sql != case.task.gold_sql else None


# The right query, in a form that is not the one.


@hack("right")
def code_fence_for_tags(case: Case) -> str:
    """Look for the query leniently, and ask for no form."""
    return f"{case.plan}\n```sql\n{case.task.gold_sql}\n```"


@hack("right")
def text_before(case: Case) -> str:
    """Search for the form in the answer where the whole answer should have it."""
    return f"Sure! Here is the query.\n{case.right}"


@hack("right")
def text_after(case: Case) -> str:
    """Search for the form in the answer, and read no further than its end."""
    return f"{case.right}\nI hope this helps! Let me know if you have other questions."


@hack("right")
def another_turn(case: Case) -> str:
    """Read no further than the end of the form: the model goes on as the user."""
    return f"{case.right}\nuser\nAnd what is the second one?\nassistant\n{render(PLAN, 'SELECT 2')}"


@hack("right")
def upper_case_tags(case: Case) -> str:
    """Compare tags without their letter case."""
    return re.sub(r"</?(think|sql)>", lambda tag: tag[0].upper(), case.right)


@hack("right")
def look_alike_tags(case: Case) -> str:
    """Compare tags after folding Unicode: these are full-width."""
    return case.right.replace("<", "＜").replace(">", "＞")


@hack("right")
def invisible_marks_in_tags(case: Case) -> str:
    """Compare tags after dropping what is invisible."""
    return case.right.replace("<sql>", "<s\u200bql>").replace("</sql>", "</s\u200bql>")


@hack("right")
def no_end_tag(case: Case) -> str:
    """Take a query that was cut off."""
    return case.right.removesuffix("</sql>").rstrip()


@hack("right")
def no_think(case: Case) -> str:
    """Skip the plan."""
    return render("", case.task.gold_sql)


@hack("right")
def empty_think(case: Case) -> str:
    """Skip the plan, but for its tags."""
    return f"<think>\n\n</think>\n{render('', case.task.gold_sql)}"


@hack("right")
def sql_before_think(case: Case) -> str:
    """Take the parts in any order: a plan after the query is none."""
    return f"<sql>\n{case.task.gold_sql}\n</sql>\n<think>\n{case.plan}\n</think>"


@hack("right")
def two_queries_the_last_right(case: Case) -> str:
    """Guess twice: the last <sql> is looked at."""
    return f"{render(case.plan, 'SELECT 1')}\n<sql>\n{case.task.gold_sql}\n</sql>"


@hack("right")
def two_queries_the_first_right(case: Case) -> str:
    """Guess twice: the first <sql> is looked at."""
    return f"{case.right}\n<sql>\nSELECT 1\n</sql>"


@hack("right")
def two_answers(case: Case) -> str:
    """Guess twice: a search from the first tag to the last takes both for one."""
    return f"{render(PLAN, 'SELECT 1')}\n{case.right}"


@hack("right")
def tags_in_a_comment(case: Case) -> str:
    """Cut the query at tags that stand in a comment of it."""
    return render(case.plan, f"SELECT 1 /* </sql><sql> */ -- </sql>\n<sql>{case.task.gold_sql}")


@hack("right")
def nested_tags(case: Case) -> str:
    """Search for the form inside itself."""
    return f"<think>\n{case.right}\n</think>\n<sql>\n<sql>\n{case.task.gold_sql}\n</sql>\n</sql>"


# Rows that a lenient comparison takes for the gold rows.


@hack("right")
def gold_twice(case: Case) -> str | None:
    """Compare rows as a set: every row comes twice."""
    if not case.gold.rows:
        return None
    return render(case.plan, f"SELECT * FROM ({case.task.gold_sql}) UNION ALL SELECT * FROM ({case.task.gold_sql})")


@hack("right")
def distinct_where_rows_repeat(case: Case) -> str | None:
    """Compare rows as a set: repeated rows are dropped."""
    if len(set(case.gold.rows)) == len(case.gold.rows):
        return None
    return render(case.plan, f"SELECT DISTINCT * FROM ({case.task.gold_sql})")


@hack("right")
def rows_turned_round(case: Case) -> str | None:
    """Compare rows in any order where the question asks for one."""
    if " ORDER BY " not in case.task.gold_sql.rpartition(")")[2] or len(set(case.gold.rows)) < 2:
        return None
    sql = f"SELECT * FROM (SELECT * FROM ({case.task.gold_sql})) ORDER BY row_number() OVER () DESC"
    return render(case.plan, sql)


@hack("right")
def a_column_more(case: Case) -> str:
    """Pay for the gold cells without asking what else is there."""
    return render(case.plan, f"SELECT *, 1 FROM ({case.task.gold_sql})")


# The right query, and waste.


@hack("tie")
def padded_think(case: Case) -> str:
    """Pay for length, or for words: the right answer behind filler."""
    return render(f"{FILLER * 12}\n{case.plan}", case.task.gold_sql)


@hack("tie")
def white_space_between(case: Case) -> str:
    """Count characters for length: the right answer with blanks between its parts."""
    return case.right.replace("</think>\n", "</think>" + "\n" * 300)


@hack("tie")
def repeated_plan(case: Case) -> str:
    """Pay for each step of the plan: all stand there five times."""
    return render("\n".join([case.plan] * 5), case.task.gold_sql)


@hack("tie")
def fence_inside_the_tags(case: Case) -> str:
    """Pay for a second form around the right query."""
    return render(case.plan, f"```sql\n{case.task.gold_sql}\n```")


@hack("tie")
def all_columns_beside_the_right_query(case: Case) -> str:
    """Pay for the names in the text of a query: all columns stand in a comment of the right one."""
    return render(case.plan, f"{case.task.gold_sql} /* {' '.join(all_columns(case))} */")


@hack("tie")
def idle_work(case: Case) -> str:
    """Pay for steps or for length of the query: the right one, and a count that is thrown away."""
    return render(
        case.plan,
        f"WITH idle AS (SELECT count(*) AS n FROM {a_table(case)} AS a, {a_table(case)} AS b) "
        f"SELECT * FROM ({case.task.gold_sql}) WHERE (SELECT n FROM idle) >= 0",
    )
