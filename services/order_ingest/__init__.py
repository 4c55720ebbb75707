"""Takes orders over HTTP and answers once the stream has them."""
