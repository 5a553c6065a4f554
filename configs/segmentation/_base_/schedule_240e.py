"""Section 6.2's schedule: from scratch, 240 epochs, learning rate 0.2 to 1e-4 by a cosine, weight decay 4e-5."""

train_cfg = dict(by_epoch=True, max_epochs=240, val_interval=10)
val_cfg = dict()
test_cfg = dict()
# The momentum is section 5.1's; 6.2 does not print one.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.2, momentum=0.9, weight_decay=4e-5))
param_scheduler = [
    dict(type="CosineAnnealingLR", eta_min=1e-4, begin=0, end=240, by_epoch=True, convert_to_iter_based=True)
]
auto_scale_lr = dict(base_batch_size=16)
# The temperature of spatial attention falls over the first ten epochs, as in Dynamic ReLU's paper.
custom_hooks = [dict(type="SyncBuffersHook"), dict(type="AnnealTemperature", epochs=10)]
