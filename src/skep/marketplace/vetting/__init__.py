"""The review: rules applied to a submission, and a verdict that names each rule."""
