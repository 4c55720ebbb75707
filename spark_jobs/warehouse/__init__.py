"""Order lines from the landing into the lake, once, and from there into a star and the warehouse."""
