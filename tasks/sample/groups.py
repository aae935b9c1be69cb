"""Questions about groups of rows, in one table (L1) or with a join (L3)."""

from tasks.sample.asking import Draft
from tasks.sample.domain import Column, Link, Table
from tasks.sample.filters import NotHere, Scene, join_path
from tasks.sample.phrase import Subject
from tasks.sample.query import Query
from tasks.sample.words import fill, finite, sentence, singular


def grouping(scene: Scene) -> tuple[Table, Column]:
    """Return a table and a column that groups its rows."""
    table = scene.any_table("category")
    column = scene.column(table, "category", full=True)
    if len(set(scene.values(column))) < 3 or column.codes:
        raise NotHere
    return table, column


def per(scene: Scene, column: Column) -> str:
    return scene.pick([f"for each {column.noun}", f"per {column.noun}", *column.say("each") * 2])


def mods_besides(scene: Scene, table: Table, column: Column, share: float) -> Subject:
    mods = (scene.filter(table, besides=(column.name,), short=True),) if scene.chance(share) else ()
    return Subject(table, mods)


def count_groups(scene: Scene) -> Draft:
    table, column = grouping(scene)
    subject, each = mods_besides(scene, table, column, 0.3), per(scene, column)
    heads = [
        f"How many {subject.many} are there {each}?",
        f"Show each {column.noun} with its number of {subject.many}.",
        f"For each {column.noun}, how many {subject.many} are there?",
        f"Break down the number of {subject.many} by {column.noun}.",
        f"Tell me the number of {subject.many} {each}.",
    ]
    query = subject.query(column.ref, "COUNT(*)").but(group=column.ref)
    if scene.chance(0.3):
        heads = [
            f"List the {column.nouns} with their number of {subject.many}, most common first.",
            f"How many {subject.many} are there {each}? Put the biggest group first.",
        ]
        return Draft(scene.pick(heads), query.but(order="COUNT(*) DESC"), subject.evidence, decisive=99)
    return Draft(scene.pick(heads), query, subject.evidence)


def measure_groups(scene: Scene) -> Draft:
    table, column = grouping(scene)
    number = scene.column(table, "measure", full=True)
    way = scene.pick(["MAX", "MIN"] if number.year else ["AVG", "AVG", "MAX", "MIN", *(["SUM"] if number.sum else [])])
    word = {"AVG": "average", "SUM": "total", "MAX": number.ends[0], "MIN": number.ends[1]}[way]
    each, many, noun = per(scene, column), table.many, number.noun
    of = "for" if " of " in noun or " in " in noun else "of"
    heads = [
        f"What is the {word} {noun} {of} {many} {each}?",
        f"Show the {word} {noun} {of} {many} {each}.",
        f"For each {column.noun}, what is the {word} {noun} {of} the {many}?",
        f"List every {column.noun} along with the {word} {noun} {of} its {many}.",
    ]
    return Draft(scene.pick(heads), Subject(table).query(column.ref, f"{way}({number.ref})").but(group=column.ref))


def big_groups(scene: Scene) -> Draft:
    """Groups that HAVING keeps."""
    table, column = grouping(scene)
    numbers = [c for c in table.of("measure") if not c.year and not c.gaps]
    if numbers and scene.chance(0.35):
        number = scene.pick(numbers)
        values = scene.values(number)
        middle = sum(values) / len(values)
        border = round(middle) if middle > 20 else round(middle, 1)
        way, sign = scene.pick([("above", ">"), ("below", "<")])
        heads = [
            f"Which {column.nouns} have an average {number.noun} {way} {border:,}?",
            f"For which {column.nouns} is the average {number.noun} of the {table.many} {way} {border:,}?",
        ]
        having = f"AVG({number.ref}) {sign} {border}"
    else:
        counts = sorted(scene.values(column).count(v) for v in set(scene.values(column)))
        limit = scene.pick(counts[len(counts) // 3 : -1])
        words, sign, border = scene.pick(
            [("more than", ">", limit), ("at least", ">=", limit + 1), ("fewer than", "<", limit + 1)]
        )
        said = f"{words} {border} {table.one if border == 1 else table.many}"
        having = f"COUNT(*) {sign} {border}"
        heads = [
            f"Which {column.nouns} have {said}?",
            f"List the {column.nouns} with {said}.",
            f"Find all {column.nouns} that have {said}.",
            f"Can you tell me which {column.nouns} have {said}?",
        ]
    return Draft(scene.pick(heads), Subject(table).query(column.ref).but(group=column.ref, having=having))


def top_group(scene: Scene) -> Draft:
    table, column = grouping(scene)
    subject = mods_besides(scene, table, column, 0.25)
    most = scene.chance(0.75)
    word, order = ("most", "COUNT(*) DESC") if most else ("fewest", scene.pick(["COUNT(*)", "COUNT(*) ASC"]))
    heads = [
        f"Which {column.noun} has the {word} {subject.many}?",
        f"What {column.noun} has the {word} {subject.many}?",
        f"Name the {column.noun} with the {word} {subject.many}.",
    ]
    if most:
        heads += [
            f"What is the most common {column.noun} among {subject.all}?",
            f"Which {column.noun} comes up most often among the {subject.many}?",
        ]
    query = subject.query(column.ref).but(group=column.ref, order=order, limit=1)
    return Draft(scene.pick(heads), query, subject.evidence, decisive=1)


def top_measure_group(scene: Scene) -> Draft:
    """The group with the highest average or total."""
    table, column = grouping(scene)
    number = scene.pick(c for c in table.of("measure") if not c.year and not c.gaps)
    way, word = scene.pick([("AVG", "average"), *([("SUM", "total")] if number.sum else [])])
    most = scene.chance(0.7)
    end, order = number.ends[0 if most else 1], f"{way}({number.ref}){' DESC' if most else ''}"
    heads = [
        f"Which {column.noun} has the {end} {word} {number.noun} among its {table.many}?",
        f"What is the {column.noun} with the {end} {word} {number.noun} of {table.many}?",
        f"Find the {column.noun} whose {table.many} have the {end} {word} {number.noun}.",
    ]
    return Draft(
        scene.pick(heads), Subject(table).query(column.ref).but(group=column.ref, order=order, limit=1), decisive=1
    )


def linked_query(scene: Scene, link: Link, items: tuple[str, ...]) -> Query:
    """Return a query over a link's source joined with its target, grouped by the source's row."""
    source = scene.domain.tables[link.source]
    group = source.key.ref if source.key and scene.chance(0.6) else source.label.ref
    return Query(link.source, items, join_path(link), style=scene.style(), group=group)


def counted(scene: Scene, link: Link) -> str:
    """Return what counts a link's target rows; through a third table the same row may come up twice."""
    key = scene.domain.tables[link.target].key
    return f"COUNT(DISTINCT {key.ref})" if len(link.path) > 1 and key else "COUNT(*)"


def all_linked(scene: Scene, link: Link) -> bool:
    """Return whether every source row of a link has a target row."""
    table, column = link.path[0][0].split(".")
    other, other_column = link.path[0][1].split(".")
    return {r[column] for r in scene.rows[table]} <= {r[other_column] for r in scene.rows[other]}


def count_linked(scene: Scene) -> Draft:
    """How many target rows each source row has."""
    link = scene.link(single=False, says="each", labelled=True)
    source, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    said = scene.pick(link.each)
    heads = [
        f"{said}?",
        f"{said}? Show the {source.label.noun} and the number.",
        f"For each {source.one}, show the {source.label.noun} and the number of {target.many}.",
    ]
    query = linked_query(scene, link, (source.label.ref, counted(scene, link)))
    if not all_linked(scene, link):
        heads = [
            f"{said}? List the zeros too.",
            f"{said}, counting those without any as zero?",
            f"Show every {source.one} by {source.label.noun} with the number of {target.many}, zeros included.",
        ]
        query = query.but(items=(source.label.ref, f"COUNT({{{link.path[-1][1]}}})"), outer=True)
    return Draft(scene.pick(heads), query)


def top_linked(scene: Scene) -> Draft:
    """The source row with the most target rows."""
    link = scene.pick(
        link
        for link in scene.domain.links
        if not link.single and (link.say or link.top) and scene.domain.tables[link.source].label
    )
    source, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    phrase = scene.pick([*link.top * 2, *(fill(say, f"the most {target.many}") for say in link.say)])
    heads = [f"Which {source.one} {singular(phrase)}?"] * 2 + [
        f"Find the {source.label.noun} of the {source.one} {'who' if source.who else 'that'} {singular(phrase)}.",
        f"Can you tell me which {source.one} {singular(phrase)}?",
    ]
    if source.who:
        heads += [f"Who {singular(phrase)}?"] * 2
    query = linked_query(scene, link, (source.label.ref,)).but(order=f"{counted(scene, link)} DESC", limit=1)
    return Draft(sentence(scene.pick(heads)), query, decisive=1)


def often_linked(scene: Scene) -> Draft:
    """Source rows with at least so many target rows."""
    link = scene.pick(
        link
        for link in scene.domain.links
        if not link.single and (link.say or link.times) and scene.domain.tables[link.source].label
    )
    source, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    limit = scene.pick([1, 2, 2, 3, 3, 4])
    rows = counted(scene, link)
    said, having = scene.pick(
        [(f"more than {limit}", f"{rows} > {limit}"), (f"at least {limit + 1}", f"{rows} >= {limit + 1}")]
    )
    noun = target.one if said == "more than 1" else target.many
    said = said.replace("more than 1", "more than one")
    vp = scene.pick([*(fill(t, said) for t in link.times), *(fill(say, f"{said} {noun}") for say in link.say)])
    vp = vp.replace("more than one times", "more than once")
    if f"more than one {target.many}" in vp and target.one != target.many:
        raise NotHere
    heads = [
        f"Which {source.many} {finite(vp)}?",
        f"List the {source.label.nouns} of {source.many} {'who' if source.who else 'that'} {finite(vp)}.",
        f"Can you tell me which {source.many} {finite(vp)}?",
        f"Find all {source.many} {'who' if source.who else 'that'} {finite(vp)} and show their {source.label.nouns}.",
    ]
    return Draft(scene.pick(heads), linked_query(scene, link, (source.label.ref,)).but(having=having))


def measure_linked(scene: Scene) -> Draft:
    """Average or total of the target's number for each source row."""
    link = scene.pick(link for link in scene.domain.links if not link.single and len(link.path) == 1
                      and scene.domain.tables[link.source].label)  # fmt: skip
    source, target = scene.domain.tables[link.source], scene.domain.tables[link.target]
    number = scene.pick(c for c in target.of("measure") if not c.year and not c.gaps)
    way, word = scene.pick([("AVG", "average"), *([("SUM", "total")] * 2 if number.sum else [])])
    its = "their" if source.who else "its"
    if scene.chance(0.5):
        most = scene.chance(0.7)
        end = number.ends[0 if most else 1]
        heads = [
            f"Which {source.one} has the {end} {word} {number.noun} across {its} {target.many}?",
            f"Looking at the {target.many}, which {source.one} has the {end} {word} {number.noun}?",
        ]
        order = f"{way}({number.ref}){' DESC' if most else ''}"
        return Draft(
            scene.pick(heads), linked_query(scene, link, (source.label.ref,)).but(order=order, limit=1), decisive=1
        )
    label = source.label.noun
    some = "" if all_linked(scene, link) else f" that has any {target.many}"
    some = some.replace("that", "who") if source.who else some
    heads = [
        f"For each {source.one}{some}, show the {label} and the {word} {number.noun} of {its} {target.many}.",
        f"For every {source.one}{some}, what is the {word} {number.noun} of {its} {target.many}?",
        f"What is the {word} {number.noun} of the {target.many} of each {source.one}{some}? Show the {label} too.",
    ]
    return Draft(scene.pick(heads), linked_query(scene, link, (source.label.ref, f"{way}({number.ref})")))
