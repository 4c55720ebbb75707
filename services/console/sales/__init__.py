"""What was sold: saved queries, a few words to ask by, and the week's report, over the lake's tables."""
