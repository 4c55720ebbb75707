"""Writes every part of an order from the stream `orders` into the table `order_history`, once."""
