"""What every other room stands on: errors, atomic files, caches, unit vectors, estimates and their intervals."""
