"""Constants of Sigstore bundles, as cosign writes them; packages and trust use them.

Packages carry bundles and never look inside; trust looks inside and knows no packages.

Source: https://github.com/sigstore/cosign/blob/v3.0.0/specs/BUNDLE_SPEC.md
"""

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""Media type of a bundle, which it also states itself."""
SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
"""Of a plain signature: nothing is said about what is signed but that it is."""
LARGEST_BUNDLE = 1024 * 1024  # bytes; ours have about 600, with certificates 2 to 20 kB
MOST_BUNDLES = 64  # looked at for one package; a marketplace that sends more wants us to be busy
