"""OCI images and artifacts as values: descriptors, manifests, indexes, referrers. Pure."""
