"""Who says so? Keys, signatures over digests, and policies; knows no packages and no sockets."""
