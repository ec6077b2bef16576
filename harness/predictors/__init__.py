"""What a predictor is, how one is asked, and how one is loaded."""
