"""From what a player reports to which media item it plays, and what trackers are told of it. Pure but for lookups."""
