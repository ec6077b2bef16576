"""Files of strangers, read without believing them: JSON, NumPy archives, pickles."""
