"""A template, compiled so that it counts: loops by their turns, bodies by what is in them, texts by their length.

What Jinja lets an environment intercept (calls, filters, attributes, operators) is counted there. What it does not is
rewritten here before code is made of it. The filters put in have names that no template can write.
"""

from typing import Any, Final

from jinja2 import nodes, pass_eval_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import TemplateSyntaxError
from jinja2.nodes import EvalContext
from jinja2.runtime import markup_join, str_join
from jinja2.visitor import NodeTransformer

from journey.sandbox.work import DOING, most, weigh

SPEND: Final = "#spend"
TAKE: Final = "#take"
WEIGH: Final = "#weigh"
SEEK: Final = "#seek"
JOIN: Final = "#joined"


class Counting(CodeGenerator):
    """Jinja's generator of code, for a template that was made to count."""

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:  # noqa: N802  as Jinja names it
        """Write the code of a template."""
        counting = _Counted().visit(node)
        counting.set_environment(self.environment)
        super().visit_Template(counting, frame)


@pass_eval_context
def joined(eval_ctx: EvalContext, parts: Any) -> str:
    """What `~` does, refused before the text is too long."""
    most(weigh(parts))
    return markup_join(parts) if eval_ctx.autoescape else str_join(parts)


class _Counted(NodeTransformer):
    def visit_Template(self, node: nodes.Template) -> Any:  # noqa: N802  as Jinja names it
        return self._paying(node)

    def visit_Block(self, node: nodes.Block) -> Any:  # noqa: N802  as Jinja names it
        return self._paying(node)

    def visit_Macro(self, node: nodes.Macro) -> Any:  # noqa: N802  as Jinja names it
        return self._paying(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> Any:  # noqa: N802  as Jinja names it
        return self._paying(node)

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  as Jinja names it
        if node.recursive:
            raise TemplateSyntaxError("a loop cannot call itself here; write a macro", node.lineno)
        weight = _weight(node)
        self.generic_visit(node)
        node.iter = _filter(node.iter, TAKE, weight)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802  as Jinja names it
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), JOIN)

    def visit_List(self, node: nodes.List) -> nodes.Expr:  # noqa: N802  as Jinja names it
        return self._weighed(node, node.items)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802  as Jinja names it
        return node if node.ctx != "load" else self._weighed(node, node.items)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Expr:  # noqa: N802  as Jinja names it
        return self._weighed(node, [part for pair in node.items for part in (pair.key, pair.value)])

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802  as Jinja names it
        self.generic_visit(node)
        return _filter(node, WEIGH) if isinstance(node.arg, nodes.Slice) else node

    def visit_Operand(self, node: nodes.Operand) -> nodes.Operand:  # noqa: N802  as Jinja names it
        self.generic_visit(node)
        if node.op in ("in", "notin") and not isinstance(node.expr, nodes.List | nodes.Tuple | nodes.Const):
            node.expr = _filter(node.expr, SEEK)
        return node

    def _weighed(self, node: nodes.Expr, parts: list[nodes.Expr]) -> nodes.Expr:
        if all(isinstance(part, nodes.Const) for part in parts):
            return node
        self.generic_visit(node)
        return _filter(node, WEIGH)

    def _paying(self, node: Any) -> Any:
        weight = _weight(node)
        self.generic_visit(node)
        paid = _filter(nodes.Const(None, lineno=node.lineno), SPEND, weight)
        node.body = [nodes.ExprStmt(paid, lineno=node.lineno), *node.body]
        return node


def _weight(node: nodes.Node) -> int:
    """What running through it once costs: its own text, and a few units for each thing in it."""
    total, stack = DOING, [*node.iter_child_nodes()]
    while stack:
        one = stack.pop()
        total += len(one.data) if isinstance(one, nodes.TemplateData) else DOING
        stack.extend(one.iter_child_nodes())
    return total


def _filter(node: nodes.Node, name: str, *args: int) -> nodes.Filter:
    given: list[nodes.Expr] = [nodes.Const(one, lineno=node.lineno) for one in args]
    return nodes.Filter(node, name, given, [], None, None, lineno=node.lineno)
