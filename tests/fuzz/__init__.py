"""Random programs against differences: see `run` for the command, `generate` for the language."""
