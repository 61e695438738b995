# Thin names for `python3 run.py ...`, which needs no make.
PYTHON ?= python3

.PHONY: demo test lint bench clean

demo test lint bench:
	$(PYTHON) run.py $@

clean:
	rm -rf .venv build dist *.egg-info
