"""Statistics against thresholds: profiles, release rules, controls held to what is expected of them, the session."""
