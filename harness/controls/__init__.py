"""Predictors whose verdict is known beforehand: the gates are tested on them every time they are used."""

from lvm_gates.harness.controls.registry import (
    CONTROL_NAMES,
    STANDARD_CONTROLS,
    Control,
    Ingredients,
    build_control,
    check_control,
    control_name,
)

__all__ = [
    "CONTROL_NAMES",
    "STANDARD_CONTROLS",
    "Control",
    "Ingredients",
    "build_control",
    "check_control",
    "control_name",
]
