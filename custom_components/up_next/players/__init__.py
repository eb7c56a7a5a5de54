"""Scrobbling in Home Assistant: the players that are followed, what is told of them, and the questions they leave."""
