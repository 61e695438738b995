"""Union-find, the whole of Steensgaard's analysis: things that may be one are one class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Unification:
    """Classes of things; the representative of a class is the one that was added first.

    >>> classes = Unification()
    >>> classes.union("a", "b"); classes.union("c", "b")
    >>> classes.find("c")
    'a'
    """

    def __init__(self) -> None:
        self.parent: dict[Any, Any] = {}
        self.order: dict[Any, int] = {}

    def find(self, thing: Any) -> Any:
        if thing not in self.parent:
            self.parent[thing] = thing
            self.order[thing] = len(self.order)
        root = thing
        while self.parent[root] is not root:
            root = self.parent[root]
        while self.parent[thing] is not root:
            self.parent[thing], thing = root, self.parent[thing]
        return root

    def union(self, a: Any, b: Any) -> None:
        a, b = self.find(a), self.find(b)
        if a is not b:
            if self.order[b] < self.order[a]:
                a, b = b, a
            self.parent[b] = a

    def members(self) -> Iterator[Any]:
        return iter(list(self.parent))
