"""What the actions do: from an action's data to accounts, media items, writes and answers.

`services.py` beside this package registers them; here nothing is registered.
"""
