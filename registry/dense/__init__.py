"""MicroNets for pixel-level tasks (section 6). Name `.pose` or `.segmentation` in `custom_imports` to register them.

Nothing here but those two modules imports mmpose or mmsegmentation.
"""
