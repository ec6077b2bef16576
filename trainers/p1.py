"""P1, the baseline: the original transformer under mean squared error alone (docs/sources.md, "P1")."""

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.recipe import Recipe


@recipe_command("p1", epochs=5, batch_size=64)
def p1(given: Options) -> Recipe:
    """Baseline: the original transformer, MSE only."""
    from lvm_gates.trainers.objective import weighted

    return Recipe(objective=weighted(), model=sizes(given))
