"""Litter segmentation: one of eleven classes for every pixel of a photo.

The library half of the pipeline: arrays, models and files. It knows neither
Prefect nor DVC; `tasks/` turns it into stages and `flows/` runs them.
"""

__version__ = "0.1.0"
