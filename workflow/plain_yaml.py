"""Plain YAML: what a preset may be written in."""

import itertools
import math
from collections import Counter
from typing import Any

import yaml

_MOST = 10_000  # nodes of a preset
_DEEPEST = 30


class Loader(yaml.SafeLoader):
    """Plain YAML, and no more than a preset is: every key once, finite numbers, aliases that unfold to little."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1  # before the parser, whose time grows with its square, gets deep
        if self.depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem="nested too deep", problem_mark=self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_document(self, node: yaml.Node) -> Any:
        self._unfolded(node, {})
        return super().construct_document(node)

    def _unfolded(self, node: yaml.Node, sizes: dict[int, int]) -> int:
        """Return the number of nodes below `node` if each alias is written out."""
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) not in sizes:
            sizes[id(node)] = _MOST  # for an alias inside its own anchor
            children = node.value
            if isinstance(node, yaml.MappingNode):
                keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
                if twice := next((key for key, count in keys.items() if count > 1), None):
                    raise yaml.MarkedYAMLError(problem=f"{twice} appears twice", problem_mark=node.start_mark)
                children = itertools.chain.from_iterable(node.value)
            sizes[id(node)] = 1 + sum(self._unfolded(child, sizes) for child in children)
        if sizes[id(node)] >= _MOST:
            raise yaml.MarkedYAMLError(problem="its aliases unfold to too much", problem_mark=node.start_mark)
        return sizes[id(node)]

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        number = super().construct_yaml_float(node)
        if not math.isfinite(number):
            raise yaml.MarkedYAMLError(problem=f"{node.value} is no finite number", problem_mark=node.start_mark)
        return number


Loader.add_constructor("tag:yaml.org,2002:float", Loader.construct_yaml_float)
