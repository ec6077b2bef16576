"""Makes `pytest gates/ --model=...` work from the project's root; the options live in `gates.plugin`."""

pytest_plugins = ["lvm_gates.gates.plugin"]
