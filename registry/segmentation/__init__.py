"""MicroNets for segmentation (section 6.2).

Name `registry.segmentation.segmentor` in `custom_imports` to register them with mmsegmentation.
"""
