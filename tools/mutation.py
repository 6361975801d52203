"""Small changes of Python source that its tests ought to notice.

Each mutant changes one node of the syntax tree. Not changed, since no test should depend on it:
docstrings, annotations, ``__all__``, log calls, ``assert_never``, ``slots=``, caches and texts
that people read (f-strings, the message, hint and detail of what is raised).
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
_FUNCTIONS = {
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
    "sorted": "list",
    "reversed": "list",
    "startswith": "endswith",
    "endswith": "startswith",
}
_TEXTS = {"hint", "detail", "message", "help", "sentence"}  # keyword arguments that people read
_PROSE = 2  # blanks; texts with as many are sentences
_PROMISES = {"frozen", "order"}  # of data classes
_LOGS = {"log", "logging", "warnings"}

_Node = TypeVar("_Node", bound=ast.AST)
_Item = TypeVar("_Item")

Step = tuple[str, int | None]
Place = tuple[Step, ...]


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes:
        file: its path.
        line: the first line of what is changed.
        lines: the lines whose execution shows that a test reaches it.
        function: dotted name and first line of the outermost function the change is in the body
            of; ``None`` where it takes effect when the module is imported.
        kind: which sort of change.
        before, after: source texts of what is changed.
    """

    file: Path
    line: int
    lines: range
    function: tuple[str, int] | None
    kind: str
    before: str
    after: str
    place: Place
    replacement: ast.AST

    def __str__(self) -> str:
        return f"{self.file}:{self.line}  {self.before}  →  {self.after}"

    def tree(self) -> ast.Module:
        """The file's syntax tree with the change made."""
        tree = ast.parse(self.file.read_bytes(), str(self.file))
        *way, (field, index) = self.place
        parent: ast.AST = tree
        for name, number in way:
            child = getattr(parent, name)
            parent = child if number is None else child[number]
        if index is None:
            setattr(parent, field, copy.deepcopy(self.replacement))
        else:
            getattr(parent, field)[index] = copy.deepcopy(self.replacement)
        return ast.fix_missing_locations(tree)


def mutants(file: Path) -> list[Mutant]:
    """Every mutant of a file, in the order of its source."""
    tree = ast.parse(file.read_bytes(), str(file))
    found = list(_Walk(file).visit(tree, (), _Around()))
    unique = {(each.place, ast.dump(each.replacement)): each for each in found}
    return list(unique.values())


@dataclass(frozen=True)
class _Around:
    """What surrounds a node."""

    function: tuple[str, int] | None = None
    classes: tuple[str, ...] = ()
    lines: range = range(0)
    raised: bool = False


class _Walk:
    def __init__(self, file: Path) -> None:
        self._file = file

    def visit(self, node: ast.AST, place: Place, around: _Around) -> Iterator[Mutant]:
        if _is_left_out(node):
            return
        around = _narrowed(node, around)
        for kind, replacement in _replacements(node, around):
            yield Mutant(
                self._file,
                getattr(node, "lineno", around.lines.start),
                around.lines,
                around.function,
                kind,
                _text(node),
                _text(replacement),
                place,
                replacement,
            )
        for field, value in ast.iter_fields(node):
            if isinstance(node, ast.keyword) and node.arg in _PROMISES:
                continue
            if field in {"annotation", "returns", "type_params", "bases"}:
                continue
            inner = _inside(node, field, around)
            if isinstance(value, ast.AST):
                yield from self.visit(value, (*place, (field, None)), inner)
            elif isinstance(value, list):
                for index, child in enumerate(value):
                    if isinstance(child, ast.AST):
                        yield from self.visit(child, (*place, (field, index)), inner)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.match_case | ast.If | ast.While):
        return ast.unparse(node).split("\n")[0]
    if isinstance(node, ast.ExceptHandler):
        return "except " + (ast.unparse(node.type) if node.type else "")
    if isinstance(node, ast.comprehension):
        return ast.unparse(node).strip()
    return " ".join(ast.unparse(node).split())


def _narrowed(node: ast.AST, around: _Around) -> _Around:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.If | ast.While | ast.For | ast.With):
        head: ast.AST = node
        if isinstance(node, ast.If | ast.While):
            head = node.test
        elif isinstance(node, ast.For):
            head = node.iter
        lines = range(node.lineno, (getattr(head, "end_lineno", None) or node.lineno) + 1)
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            lines = range(node.lineno, node.lineno + 1)
        elif isinstance(node, ast.With):
            lines = range(node.lineno, node.body[0].lineno)
    elif isinstance(node, ast.stmt | ast.match_case | ast.ExceptHandler) and not isinstance(
        node, ast.Try | ast.Match
    ):
        start = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
        lines = range(start, (getattr(node, "end_lineno", None) or start) + 1)
    else:
        lines = around.lines
    raised = around.raised or isinstance(node, ast.Raise)
    return _Around(around.function, around.classes, lines, raised)


def _inside(node: ast.AST, field: str, around: _Around) -> _Around:
    """What surrounds the children in a field: a function's body is run by its callers."""
    if isinstance(node, ast.ClassDef) and field == "body" and around.function is None:
        return _Around(None, (*around.classes, node.name), around.lines)
    if isinstance(node, ast.FunctionDef) and field == "body" and around.function is None:
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        name = ".".join((*around.classes, node.name))
        return _Around((name, first), around.classes, around.lines)
    return around


def _is_left_out(node: ast.AST) -> bool:
    match node:
        case ast.Expr(ast.Constant()) | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(name)))) if name in _LOGS:
            return True
        case ast.Call(ast.Attribute(ast.Name("logging"))):
            return True
        case ast.Expr(ast.Call(ast.Name("assert_never"))):
            return True
        case ast.Call(ast.Name("assert_never" | "NewType" | "TypeVar" | "cast" | "isinstance")):
            return True
        case ast.Raise(ast.Call(ast.Name("AssertionError"))):
            return True
        case ast.Assign([ast.Name("__all__" | "__slots__")]) | ast.TypeIgnore():
            return True
        case ast.Assign([ast.Name()], ast.BinOp(op=ast.BitOr(), left=left)):
            return isinstance(left, ast.Name | ast.BinOp) and _names(left)  # an alias of types
        case ast.keyword(arg) if arg in _TEXTS or arg in {"slots", "maxsize"}:
            return True
        case ast.Constant(str(text)):
            return text.count(" ") >= _PROSE
        case ast.If(ast.Name("TYPE_CHECKING")):
            return True
    return False


def _names(node: ast.AST) -> bool:
    """Whether a union is of class names only."""
    if isinstance(node, ast.BinOp):
        return _names(node.left) and _names(node.right)
    return isinstance(node, ast.Name) and node.id[0].isupper() and not node.id.isupper()


def _replacements(node: ast.AST, around: _Around) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Constant():
            yield from _constants(node, around)
        case ast.Compare():
            yield from _comparisons(node)
        case ast.BoolOp():
            yield from _connectives(node)
        case ast.BinOp():
            yield "arithmetic", _with(node, op=_ARITHMETIC.get(type(node.op), ast.Add)())
        case ast.AugAssign():
            yield "arithmetic", _with(node, op=_ARITHMETIC.get(type(node.op), ast.Add)())
            yield "removed", ast.Pass()
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            yield "sign", node.operand
        case ast.If() | ast.While() | ast.IfExp():
            yield from ((kind, _with(node, test=test)) for kind, test in _negated(node.test))
        case ast.comprehension():
            for index in range(len(node.ifs)):
                yield "condition", _with(node, ifs=_but(node.ifs, index))
        case ast.match_case():
            yield from _cases(node)
        case ast.Call():
            yield from _calls(node)
        case ast.ExceptHandler():
            yield from _handlers(node)
        case ast.Return(value) if value is not None and not _is_none(value):
            yield "returned", _with(node, value=ast.Constant(None))
        case ast.Return():
            yield "removed", ast.Pass()
        case ast.Expr(ast.Call()) | ast.Raise() | ast.Delete():
            yield "removed", ast.Pass()
        case ast.Assign([ast.Attribute() | ast.Subscript()]):
            yield "removed", ast.Pass()
        case ast.Break():
            yield "loop", ast.Continue()
        case ast.Continue():
            yield "loop", ast.Break()
        case ast.keyword(arg=str(arg), value=ast.Constant(value=True)) if arg in _PROMISES:
            yield "dataclass", _with(node, value=ast.Constant(value=False))


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _constants(node: ast.Constant, around: _Around) -> Iterator[tuple[str, ast.AST]]:
    match node.value:
        case bool():
            yield "constant", ast.Constant(not node.value)
        case int():
            yield "constant", ast.Constant(node.value + 1)
            yield "constant", ast.Constant(node.value - 1)
        case str() if not around.raised:
            yield "constant", ast.Constant("~x" + node.value)
        case bytes():
            yield "constant", ast.Constant(b"~x" + node.value)


def _comparisons(node: ast.Compare) -> Iterator[tuple[str, ast.AST]]:
    for index, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            operators = [*node.ops[:index], other(), *node.ops[index + 1 :]]
            yield "comparison", _with(node, ops=operators)


def _connectives(node: ast.BoolOp) -> Iterator[tuple[str, ast.AST]]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield "connective", _with(node, op=other)
    for index in range(len(node.values)):
        left = _but(node.values, index)
        yield "operand", left[0] if len(left) == 1 else _with(node, values=left)


def _negated(test: ast.expr) -> Iterator[tuple[str, ast.AST]]:
    """Comparisons and ``not`` are negated in their place."""
    if not (
        isinstance(test, ast.Compare)
        or (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not))
    ):
        yield "negated", ast.UnaryOp(ast.Not(), test)


def _cases(node: ast.match_case) -> Iterator[tuple[str, ast.AST]]:
    if node.guard is not None:
        yield "negated", _with(node, guard=ast.UnaryOp(ast.Not(), node.guard))
        yield "condition", _with(node, guard=None)
    if isinstance(node.pattern, ast.MatchOr):
        for index in range(len(node.pattern.patterns)):
            left = _but(node.pattern.patterns, index)
            pattern = left[0] if len(left) == 1 else ast.MatchOr(left)
            yield "condition", _with(node, pattern=pattern)


def _calls(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    name = ""
    match node.func:
        case ast.Name(name):
            if name in _FUNCTIONS and len(node.args) == 1:
                keywords = [] if _FUNCTIONS[name] == "list" else node.keywords
                other = ast.Name(_FUNCTIONS[name], ast.Load())
                yield "function", ast.Call(other, node.args, keywords)
            if name == "suppress":
                yield "condition", ast.Call(node.func, [], [])
        case ast.Attribute(attr=name):
            if name in _FUNCTIONS:
                yield "function", _with(node, func=_with(node.func, attr=_FUNCTIONS[name]))
    if len(node.args) >= 2 and not any(isinstance(each, ast.Starred) for each in node.args):
        first, second, *rest = node.args
        if ast.dump(first) != ast.dump(second) and name not in {"isinstance", "min", "max"}:
            yield "arguments", _with(node, args=[second, first, *rest])
    for index, keyword in enumerate(node.keywords):
        if name.lower() == name and name != "dataclass" and keyword.arg not in {None, *_TEXTS}:
            yield "arguments", _with(node, keywords=_but(node.keywords, index))


def _handlers(node: ast.ExceptHandler) -> Iterator[tuple[str, ast.AST]]:
    nothing = ast.Tuple([], ast.Load())
    match node.type:
        case ast.Tuple(elts) if len(elts) > 1:
            for index in range(len(elts)):
                yield "handler", _with(node, type=ast.Tuple(_but(elts, index), ast.Load()))
        case ast.expr():
            yield "handler", _with(node, type=nothing)


def _with(node: _Node, **fields: object) -> _Node:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _but(items: list[_Item], index: int) -> list[_Item]:
    return [*items[:index], *items[index + 1 :]]
