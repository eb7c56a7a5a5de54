"""Stands in for a media server's players: they tell title, series, season and episode, and who watches."""
