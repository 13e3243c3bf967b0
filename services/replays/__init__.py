"""Kept callbacks once more: replayed, edited, copied, exported, kept as fixtures."""
