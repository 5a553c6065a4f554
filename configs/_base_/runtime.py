"""mmengine's runtime for classification: hooks, logging, and where the plugin and the data sets register."""

custom_imports = dict(imports=["micronet_plugin", "pipelines.data.imagenet", "pipelines.training.mim"])
# The batch is the config's on any number of processes, where mmpretrain's tools train it.
runner_type = "SharedBatchRunner"
default_scope = "mmengine"
default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=50),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="CheckpointHook", interval=1, max_keep_ckpts=3, save_best="top1", rule="greater"),
    sampler_seed=dict(type="DistSamplerSeedHook"),
)
env_cfg = dict(cudnn_benchmark=True, dist_cfg=dict(backend="nccl"))
log_processor = dict(window_size=50, by_epoch=True)
log_level = "INFO"
load_from = None
resume = False
