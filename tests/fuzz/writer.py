"""The whole grammar: every production of statements and expressions in one class."""

from tests.fuzz.complex_numbers import ComplexNumbers
from tests.fuzz.derivatives import Derivatives
from tests.fuzz.objects import Objects
from tests.fuzz.selections import Selections
from tests.fuzz.syntax import Syntax


class Writer(Objects, ComplexNumbers, Syntax, Selections, Derivatives):
    """Writes the lines of one function with all that the profile weighs."""

    def __init__(self, draw, profile, helpers, classes=()):
        super().__init__(draw, profile, helpers)
        self.classes = list(classes)
