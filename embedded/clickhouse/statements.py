"""The little that must be known of a statement before the engine sees it."""

import re
from itertools import pairwise
from typing import NamedTuple

TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
      | (?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
      | (?P<word>[A-Za-z_]\w*) | (?P<other>\d[\w.]*|.)""",
    re.S | re.X,
)
INTO_OUTFILE = re.compile(r"\bINTO\s+OUTFILE\b", re.I)
ROWS_FOLLOW = ("VALUES", "FORMAT")
ROWS_COMPUTED = ("SELECT", "WITH", "FROM")
FILE_FUNCTIONS = ("file", "python")  # `file` as a function and chdb's `Python`: readonly=1 lets both through


class Word(NamedTuple):
    """A token of a statement: a word, something quoted, or a sign."""

    text: str
    start: int
    end: int
    depth: int  # of brackets around it

    def is_one_of(self, *words: str) -> bool:
        return self.text.upper() in words


class Insert(NamedTuple):
    """An INSERT whose rows come in blocks."""

    head: str  # up to SETTINGS, VALUES or FORMAT
    settings: str
    target: str
    columns: str  # as written; empty for all of them


def quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quoted_name(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def words(sql: str) -> list[Word]:
    """The tokens of a statement, without comments and closing semicolons."""
    out: list[Word] = []
    depth = 0
    for match in TOKEN.finditer(sql):
        if match.lastgroup == "space":
            continue
        depth -= match[0] in (")", "]", "}")
        out.append(Word(match[0], *match.span(), depth))
        depth += match[0] in ("(", "[", "{")
    while out and out[-1].text == ";":
        out.pop()
    return out


def first_word(tokens: list[Word]) -> str:
    return next((token.text.upper() for token in tokens if token.text != "("), "")


def block_insert(sql: str, tokens: list[Word]) -> Insert | None:
    """None for an INSERT that carries its rows itself (SELECT, inline VALUES) and for anything else."""
    if first_word(tokens) != "INSERT":
        return None
    start = 2 if len(tokens) > 1 and tokens[1].is_one_of("INTO") else 1
    into_function = len(tokens) > start and tokens[start].is_one_of("FUNCTION")
    start += into_function or (len(tokens) > start and tokens[start].is_one_of("TABLE"))
    body = [token for token in tokens[start:] if not token.depth]
    rows = next((token for token in body[1:] if token.is_one_of(*ROWS_FOLLOW, *ROWS_COMPUTED)), None)
    if rows is None or rows.is_one_of(*ROWS_COMPUTED) or not _ends_with(tokens, rows):
        return None
    head_end = next(token.start for token in body[1:] if token.is_one_of("SETTINGS", *ROWS_FOLLOW))
    columns = _columns(tokens, start, head_end, into_function)
    return Insert(
        head=sql[:head_end].strip(),
        settings=sql[head_end : rows.start],
        target=sql[tokens[start].start : columns[0]].strip(),
        columns=sql[columns[0] + 1 : columns[1] - 1],
    )


def _ends_with(tokens: list[Word], rows: Word) -> bool:
    """Whether a statement ends with `VALUES` or `FORMAT name`, so that its rows come after it."""
    return tokens[-1] == rows or (rows.is_one_of("FORMAT") and tokens[-2] == rows)


def _columns(tokens: list[Word], start: int, head_end: int, into_function: bool) -> tuple[int, int]:
    """Where the bracketed columns of an INSERT stand; nowhere, at the end of its head, if it names none."""
    opening = [t.start for t in tokens[start:] if t.text == "(" and not t.depth and t.start < head_end]
    closing = [t.end for t in tokens[start:] if t.text == ")" and not t.depth and t.start < head_end]
    groups = list(zip(opening, closing, strict=False))[into_function:]  # a function's arguments come first
    return groups[0] if groups else (head_end, head_end)


def without_format(sql: str, tokens: list[Word]) -> str:
    """A server leaves FORMAT to its client; the engine would answer in that format."""
    for at, token in enumerate(tokens[1:-1], start=1):
        follows = tokens[at + 2 : at + 3]
        if not token.depth and token.is_one_of("FORMAT") and (not follows or follows[0].is_one_of("SETTINGS")):
            return sql[: token.start] + sql[tokens[at + 1].end :]
    return sql


def touches_files(tokens: list[Word]) -> bool:
    """Whether a reader's statement calls what reads files, though readonly=1 lets it through. A list, not a proof."""
    called = (token.text.strip('`"') for token, following in pairwise(tokens) if following.text == "(")
    return any("\\" in name or name.lower() in FILE_FUNCTIONS for name in called)
