"""The other side of the wire: content store, push, pull, search. The only sockets in packages."""
