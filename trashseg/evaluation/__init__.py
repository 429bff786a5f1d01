"""Confusion counts, intervals, reports, submissions."""
