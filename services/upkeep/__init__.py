"""What keeps an app going by itself and tells how it goes: the worker, its upkeep, counts, alerts."""
