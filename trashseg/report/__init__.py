"""The report: one HTML file that shows what came out, how good it is and where it fails."""
