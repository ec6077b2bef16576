"""Makes `pytest gates/ --model=...` work from the project's root; the options live in `gates.plugin`."""

pytest_plugins = ["gates.plugin"]
