"""Section 6.1's schedule: 250 epochs of Adam at 1e-3, dropped to 1e-4 and 1e-5 at epochs 210 and 240."""

train_cfg = dict(by_epoch=True, max_epochs=250, val_interval=10)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3))
param_scheduler = [dict(type="MultiStepLR", begin=0, end=250, milestones=[210, 240], gamma=0.1, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=128)
# The temperature of spatial attention (and of dynamic convolution) falls over the first ten epochs, as in [5].
custom_hooks = [dict(type="SyncBuffersHook"), dict(type="AnnealTemperature", epochs=10)]
