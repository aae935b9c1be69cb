"""How a question and its database become chat messages."""

import re
import unicodedata
from typing import Literal

from tasks.schema import Column, Schema, Table, quoted, read_schema
from tasks.task import Task
from tasks.trace import Kind

Style = Literal["ddl", "m-schema"]

SYSTEM: dict[Kind, str] = {
    "plan": "Answer with the query plan in <think></think>, then one SQLite query in <sql></sql>.",
    "cot": "Answer with your reasoning in <think></think>, then one SQLite query in <sql></sql>.",
    "sql_only": "Answer with one SQLite query in <sql></sql>.",
}

# What a chat template or our own answer form could take for a tag: <…> and Mistral's [INST].
_TAG_START = re.compile(r"<(?=[^\s<>=\d][^<>]*>)|\[(?=/?[A-Z_]{2,}\])")
_LOOK_ALIKE = {"<": "‹", "[": "("}
_TYPES = {
    **dict.fromkeys(("CHAR", "CLOB", "TEXT", "STRING"), "text"),
    "INT": "int",
    **dict.fromkeys(("REAL", "FLOA", "DOUB"), "real"),
    **dict.fromkeys(("NUM", "DEC"), "num"),
}


def messages(task: Task, style: Style, sample_values: int, kind: Kind = "plan") -> list[dict[str, str]]:
    """Return the system and user message that ask `task` for an answer of this kind.

    sample_values: example values shown per column, at most; 0 shows none.
    """
    lines = [schema_text(read_schema(task.database, sample_values), style, sample_values)]
    if task.evidence.strip():
        lines.append(f"Hint: {flat(task.evidence)}")
    lines.append(f"Question: {flat(task.question)}")
    return [{"role": "system", "content": SYSTEM[kind]}, {"role": "user", "content": "\n".join(lines)}]


def schema_text(schema: Schema, style: Style, sample_values: int) -> str:
    """Return the schema for a prompt: `ddl` has one line per table, `m-schema` one per column."""
    if style == "m-schema":
        return _m_schema(schema, sample_values)
    targets: dict[tuple[str, str], list[str]] = {}
    for key in schema.foreign_keys:
        target = f"{_name(key.other_table)}.{_name(key.other_column)}"
        targets.setdefault((key.table, key.column), []).append(target)
    return "\n".join(_ddl_line(table, targets, sample_values) for table in schema.tables)


def flat(text: str) -> str:
    """Return `text` on one line, with nothing in it that could pass for a tag or a chat turn.

    >>> flat("Oslo\\n</sql><|im_end|> a < b")
    'Oslo ‹/sql>‹|im_end|> a < b'
    """
    printable = "".join(_printable(char) for char in text)
    return _TAG_START.sub(lambda start: _LOOK_ALIKE[start.group()], " ".join(printable.split()))


def _printable(char: str) -> str:
    """Return nothing for an invisible character, a space for a control character, any other as it is."""
    category = unicodedata.category(char)
    return "" if category == "Cf" else " " if category in ("Cc", "Cs", "Zl", "Zp") else char


def short_type(declared: str) -> str:
    """Return a column type in one word: SQLite's own classes, else the first word of what was declared.

    Small letters, because tokenizers have `int` and `real` whole but cut INTEGER and REAL in two.

    >>> [short_type(t) for t in ("VARCHAR(255)", "bigint unsigned", "double", "Datetime", "")]
    ['text', 'int', 'real', 'datetime', '']
    """
    for part, name in _TYPES.items():
        if part in declared.upper():
            return name
    word = re.match(r"\w+", declared.lower())
    return word.group() if word else ""


def _ddl_line(table: Table, targets: dict[tuple[str, str], list[str]], sample_values: int) -> str:
    """Return a table as `city(id int pk, name text ['Oslo','Rome'], country_id -> country.id)`."""
    columns = []
    for column in table.columns:
        points_at = targets.get((table.name, column.name), [])
        parts = [_name(column.name), "" if points_at else short_type(column.type)]
        parts += ["pk"] * column.primary_key + [f"-> {target}" for target in points_at]
        if shown := _shown(column, is_key=column.primary_key or bool(points_at))[:sample_values]:
            parts.append(f"[{','.join(_literal(value) for value in shown)}]")
        columns.append(" ".join(part for part in parts if part))
    return f"{_name(table.name)}({', '.join(columns)})"


def _shown(column: Column, is_key: bool) -> tuple[object, ...]:
    """Return the examples worth their tokens: numbers in a key say nothing."""
    return tuple(value for value in column.examples if not (is_key and _plain(value).isdigit()))


def _m_schema(schema: Schema, sample_values: int) -> str:
    """Return the schema in M-Schema, the layout of XiYan-SQL (https://github.com/XGenerationLab/M-Schema)."""
    lines = [f"【DB_ID】 {flat(schema.name)}", "【Schema】"]
    for table in schema.tables:
        columns = [_m_column(column, sample_values) for column in table.columns]
        lines += [f"# Table: {_name(table.name)}", "[", ",\n".join(columns), "]"]
    if schema.foreign_keys:
        lines.append("【Foreign keys】")
    for key in schema.foreign_keys:
        ends = (key.table, key.column, key.other_table, key.other_column)
        table, column, other_table, other_column = (_name(end) for end in ends)
        lines.append(f"{table}.{column}={other_table}.{other_column}")
    return "\n".join(lines)


def _m_column(column: Column, sample_values: int) -> str:
    parts = [f"{_name(column.name)}:{flat(column.type).upper() or 'ANY'}"]
    if column.primary_key:
        parts.append("Primary Key")
    if shown := column.examples[:sample_values]:
        parts.append(f"Examples: [{', '.join(flat(_plain(value)) for value in shown)}]")
    return f"({', '.join(parts)})"


def _name(name: str) -> str:
    return flat(quoted(name))


def _literal(value: object) -> str:
    """Return an example as it would stand in SQL.

    >>> _literal("Rock 'n' Roll"), _literal(3.0)
    ("'Rock ''n'' Roll'", '3')
    """
    return "'" + flat(value).replace("'", "''") + "'" if isinstance(value, str) else _plain(value)


def _plain(value: object) -> str:
    """Return a value as text, whole numbers without their .0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
