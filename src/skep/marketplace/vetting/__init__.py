"""The review: rules as values over what was submitted, and a verdict that names each of them."""
