"""ImageNet in a few large files: images cut to what training needs, read and resized fast."""
