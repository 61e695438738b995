"""The tests, as a package, so that `python -m tests.fuzz.run` and the tests share their tools."""
