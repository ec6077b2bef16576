"""The release gates as pytest modules: `pytest gates/ --model=best_model.pt`."""
