"""The local engines that stand in for AWS: what they are, how they are fetched and how they start."""
