"""The actions and entities, as data."""
