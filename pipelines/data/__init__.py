"""The data sets: drawn, downloaded or a folder of the user's, each known by a pin."""
