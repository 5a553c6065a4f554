"""MicroNets for keypoints (section 6.1).

Name `registry.pose.estimator` in `custom_imports` to register them with mmpose.
"""
