.PHONY: lint test slow bench docs integrations
lint:
	ruff check . && ruff format --check . && mypy && codespell
test:
	python -m pytest -n auto
slow:
	python -m pytest -n auto -m slow
bench:
	python bench/overhead.py && python -m pytest bench/evaluation.py bench/kernels.py bench/window.py && python bench/sinks.py
docs: # needs the extra `docs`; the site is in build/site
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict
	python -m pytest tests/docs tests/test_docstrings.py tests/test_examples.py tests/test_language.py
integrations: # installs every framework and tracker that fits beside the others; aim needs an environment of its own
	python -m pip install -e ".[test,lightning,transformers,ignite,scvi,diffusers,pythae,pyro,torch-geometric,torchmetrics,wandb,mlflow,trackio]"
	python -m pytest -m integrations
