"""A program's control flow as a picture: blocks, their places, SVG."""
