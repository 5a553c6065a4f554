"""Reading what users bring: JSON files, images and the errors that name them."""
