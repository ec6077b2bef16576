"""From archives of sequences back to articles and frames."""
