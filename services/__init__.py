"""One folder per container, and the kernel that they share."""
