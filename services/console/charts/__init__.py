"""Charts: Vega-Lite specifications made from data, and their rendering to SVG."""
