"""The producer and the consumer group of a stream."""
