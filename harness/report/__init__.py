"""What people look at: the terminal scorecard and the self-contained HTML file, both made from the scorecard."""
