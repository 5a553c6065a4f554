"""ILSVRC2012 at 224x224, as section 5.1's baselines read it. IMAGENET_ROOT moves the data folder."""

data_root = "{{$IMAGENET_ROOT:data/imagenet}}"

# alpha: of mixup, whose labels are distributions; 0 mixes nothing.
train_dataloader = dict(
    batch_size=512,
    num_workers=8,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(type="ImageNetFolder", root=data_root + "/train", size=224, train=True),
    collate_fn=dict(type="mixup_collate", alpha=0.0, classes=1000),
    worker_init_fn=dict(type="torch_worker_seed"),
    drop_last=True,
)
val_dataloader = dict(
    batch_size=512,
    num_workers=8,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type="ImageNetFolder", root=data_root + "/val", size=224, train=False),
    collate_fn=dict(type="mixup_collate", alpha=0.0, classes=1000),
    worker_init_fn=dict(type="torch_worker_seed"),
    drop_last=False,
)
test_dataloader = val_dataloader
val_evaluator = dict(type="TopK")
test_evaluator = val_evaluator
