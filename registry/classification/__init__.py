"""ImageNet classifiers (section 5): heads, mutual learning and their cost."""
