"""What a session found, as data: the scorecard, the samples, and how both are read again."""
