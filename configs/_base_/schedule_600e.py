"""Section 5.1's schedule as printed: SGD 0.9, batch 512, learning rate 0.02, cosine over 600 epochs."""

train_cfg = dict(by_epoch=True, max_epochs=600, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=3e-5))
param_scheduler = dict(
    type="CosineAnnealingLR", begin=0, end=600, eta_min=0.0, by_epoch=True, convert_to_iter_based=True
)
auto_scale_lr = dict(base_batch_size=512)
custom_hooks = [dict(type="SyncBuffersHook")]
