"""The other side of the wire: transport, push, pull, search. The only sockets in packages."""
