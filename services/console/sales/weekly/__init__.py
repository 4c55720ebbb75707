"""The week's report: what was sold, beside the week before, as one HTML file."""
