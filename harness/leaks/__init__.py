"""Leaks: windows whose last frame and target stand next to each other in what a model was trained on."""
