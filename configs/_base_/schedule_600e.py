"""Section 5.1's schedule as printed: SGD 0.9, batch 512, learning rate 0.02, cosine over 600 epochs."""

schedule = dict(
    epochs=600, batch_size=512, lr=0.02, momentum=0.9, weight_decay=3e-5, image_size=224, mixup=0.0, decay="cosine"
)
