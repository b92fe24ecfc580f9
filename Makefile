# The two commands of the README are demo and test. Everything else is for developers.
.PHONY: demo test lint docs benchmark clean

demo:
	@tools/setup demo
	@.venv/bin/nbstamp demo

test:
	@tools/setup test
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/python -m pytest --numprocesses=auto --maxprocesses=3 --dist=loadfile
	.venv/bin/sphinx-build --quiet --fail-on-warning --builder html docs build/docs

docs:
	@tools/setup test
	.venv/bin/sphinx-build --quiet --fail-on-warning --builder html docs build/docs
	@echo "Open build/docs/index.html"

benchmark:
	@tools/setup benchmark
	for each in benchmarks/*.py; do .venv/bin/python "$$each" || exit 1; done

clean:
	rm -rf .venv build nbstamp-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
